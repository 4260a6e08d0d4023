// Stands in for libnccl: processes of one machine that meet in a file of SIMULATED_CUDA_FOLDER, which the name of their
// group names. A part of libraries.cpp.
//
// What is added up is noted in SIMULATED_NCCL_LOG, where that is set: a line of the floats and of the work queued before, in a
// file for each rank.
//
// What is queued here runs at once, with all that is queued before it: a GPU would run by itself, while its process waits
// for something else.

#include <atomic>
#include <fcntl.h>
#include <sys/mman.h>

struct UniqueId {
    char name[128];
};

// What ranks exchange at a time.
const size_t EXCHANGED = 1 << 16;
const int MOST_RANKS = 8;

struct Group {
    std::atomic<int> arrived, round;
    float floats[MOST_RANKS][EXCHANGED];
};

struct Communicator {
    Group *group;
    int rank, ranks;

    // Waits for all ranks; forever for one that has died, as NCCL does.
    void meet() {
        int round = group->round;
        if (++group->arrived == ranks) {
            group->arrived = 0;
            ++group->round;
        } else {
            while (group->round == round) {
                usleep(20);
            }
        }
    }
};

extern "C" {

Answer ncclGetUniqueId(UniqueId *id) {
    static int number = 0;
    snprintf(id->name, sizeof id->name, "/group-%d-%d", (int)getpid(), number++);
    return SUCCESS;
}
Answer ncclCommInitRank(Communicator **communicator, int ranks, UniqueId id, int rank) {
    require(current_context != nullptr, "a group without a current context");
    require(0 <= rank && rank < ranks && ranks <= MOST_RANKS, "a rank that there cannot be");
    int file = open((getenv("SIMULATED_CUDA_FOLDER") + std::string(id.name)).c_str(), O_RDWR | O_CREAT, 0600);
    require(file >= 0 && ftruncate(file, sizeof(Group)) == 0, "no file for a group");
    void *group = mmap(nullptr, sizeof(Group), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    require(group != MAP_FAILED, "no memory for a group");
    close(file);
    ++communicators;
    *communicator = new Communicator{(Group *)group, rank, ranks};
    return (*communicator)->meet(), SUCCESS;
}
Answer ncclCommDestroy(Communicator *communicator) {
    munmap(communicator->group, sizeof(Group));
    return --communicators, delete communicator, SUCCESS;
}
const char *ncclGetErrorString(Answer) { return "an error"; }

Answer ncclAllReduce(float *from, float *to, size_t count, int type, int operation, Communicator *communicator,
                     Stream *stream) {
    require(type == 7 && operation == 0 && from == to, "another sum than one of f32 in place");
    require_memory((uint64_t)to, 4 * count, "a sum of nothing");
    if (const char *log = getenv("SIMULATED_NCCL_LOG")) {
        std::ofstream lines(log + std::to_string(communicator->rank), std::ios::app);
        lines << count << " " << works << "\n";
    }
    take(stream, [=] {
        auto &floats = communicator->group->floats;
        for (size_t start = 0; start < count; start += EXCHANGED) {
            size_t length = std::min(EXCHANGED, count - start);
            memcpy(floats[communicator->rank], to + start, 4 * length);
            communicator->meet();
            for (size_t i = 0; i < length; ++i) {
                float sum = floats[0][i];
                for (int rank = 1; rank < communicator->ranks; ++rank) {
                    sum += floats[rank][i];
                }
                to[start + i] = sum;
            }
            communicator->meet();
        }
    });
    return run_until(stream, stream->queued), SUCCESS;
}
Answer ncclBroadcast(float *from, float *to, size_t count, int type, int root, Communicator *communicator,
                     Stream *stream) {
    require(type == 7 && from == to && 0 <= root && root < communicator->ranks, "another copy than one of f32 in place");
    require_memory((uint64_t)to, 4 * count, "a copy of nothing");
    take(stream, [=] {
        float *floats = communicator->group->floats[0];
        for (size_t start = 0; start < count; start += EXCHANGED) {
            size_t length = std::min(EXCHANGED, count - start);
            if (communicator->rank == root) {
                memcpy(floats, to + start, 4 * length);
            }
            communicator->meet();
            memcpy(to + start, floats, 4 * length);
            communicator->meet();
        }
    });
    return run_until(stream, stream->queued), SUCCESS;
}
}
