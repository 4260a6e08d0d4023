// Stands in for libcuda, libnvrtc, libcublasLt and, by nccl.cpp, libnccl, as far as Neuroglot calls them, on a machine without a GPU.
//
// What a GPU would do later happens later here too: copies, kernels and products wait in a queue until someone waits
// for it, so that host memory given away too early shows. Kernels run by cuda_on_host.h (HOST_HEADER). Mistakes in the
// use of the interface are errors, or end the process with a message.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

typedef int Answer;
const Answer SUCCESS = 0, INVALID_VALUE = 1, NOT_FOUND = 500, NOT_READY = 600, CAPTURE_UNSUPPORTED = 900;
typedef std::function<void()> Work;

struct Stream {
    std::deque<Work> queue;
    // Work that was ever queued and ever done.
    size_t queued = 0, done = 0;
    bool capturing = false;
    std::vector<Work> captured;
};

struct Event {
    bool has_time;
    Stream *stream = nullptr;
    size_t place = 0;
    std::chrono::steady_clock::time_point happened;
};

struct Function {
    void *run = nullptr, *host = nullptr, *pack = nullptr;
    unsigned allowed_shared_bytes = 48 << 10;
};

static int retained = 0;
static void *current_context = nullptr;
static std::map<uint64_t, std::pair<void *, size_t>> memory;
static std::map<void *, size_t> pinned;
static size_t works = 0;
static int communicators = 0, streams = 0, events = 0, modules = 0, graphs = 0, executables = 0, compilations = 0, descriptions = 0;

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "simulated CUDA: %s\n", what);
        abort();
    }
}

static void run_until(Stream *stream, size_t place) {
    while (stream->done < place) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        work();
        ++stream->done;
    }
}

static void require_memory(uint64_t address, size_t bytes, const char *what) {
    auto found = memory.upper_bound(address);
    require(found != memory.begin(), what);
    --found;
    require(address + bytes <= found->first + found->second.second, what);
}

static Answer take(Stream *stream, Work work) {
    require(current_context != nullptr, "a call without a current context");
    works += !stream->capturing;
    if (stream->capturing) {
        stream->captured.push_back(std::move(work));
    } else {
        stream->queue.push_back(std::move(work));
        ++stream->queued;
    }
    return SUCCESS;
}

extern "C" {

Answer cuInit(unsigned) { return SUCCESS; }
Answer cuDeviceGetCount(int *count) {
    const char *devices = getenv("SIMULATED_CUDA_DEVICES");
    return *count = devices ? atoi(devices) : 1, SUCCESS;
}
Answer cuDeviceGet(int *device, int index) { return *device = index, SUCCESS; }
Answer cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "simulated GPU"), SUCCESS; }
Answer cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = 1 << 30, SUCCESS; }
Answer cuDeviceGetAttribute(int *value, int attribute, int) {
    // Major and minor compute capability; clock (kHz) and width (bits) of the memory, which make 16 GB/s.
    static const std::map<int, int> attributes = {{75, 9}, {76, 0}, {36, 1000000}, {37, 64}};
    require(attributes.count(attribute), "an unknown attribute of the device");
    return *value = attributes.at(attribute), SUCCESS;
}
Answer cuDriverGetVersion(int *version) {
    const char *told = getenv("SIMULATED_CUDA_VERSION");
    return *version = told ? atoi(told) : 13000, SUCCESS;
}
Answer cuGetErrorName(Answer, const char **name) { return *name = "an error", SUCCESS; }

Answer cuDevicePrimaryCtxRetain(void **context, int) { return ++retained, *context = &retained, SUCCESS; }
Answer cuDevicePrimaryCtxRelease_v2(int) {
    if (--retained == 0) {
        int live = communicators + streams + events + modules + graphs + executables + compilations + descriptions;
        require(live == 0 && memory.empty() && pinned.empty(), "something is left when the context goes");
        fprintf(stderr, "simulated CUDA: all given back\n");
        current_context = nullptr;
    }
    return SUCCESS;
}
Answer cuCtxSetCurrent(void *context) { return current_context = context, SUCCESS; }

Answer cuStreamCreate(Stream **stream, unsigned) { return ++streams, *stream = new Stream, SUCCESS; }
Answer cuStreamDestroy_v2(Stream *stream) {
    require(stream->queue.empty(), "a stream goes with work in it");
    return --streams, delete stream, SUCCESS;
}
Answer cuStreamSynchronize(Stream *stream) {
    if (stream->capturing) {
        return CAPTURE_UNSUPPORTED;
    }
    return run_until(stream, stream->queued), SUCCESS;
}

Answer cuEventCreate(Event **event, unsigned flags) { return ++events, *event = new Event{flags != 2}, SUCCESS; }
Answer cuEventRecord(Event *event, Stream *stream) {
    if (event->has_time) {
        if (stream->capturing) {
            return CAPTURE_UNSUPPORTED;
        }
        event->happened = {};
        take(stream, [=] { event->happened = std::chrono::steady_clock::now(); });
    }
    return event->stream = stream, event->place = stream->queued, SUCCESS;
}
Answer cuEventSynchronize(Event *event) {
    if (event->stream) {
        run_until(event->stream, event->place);
    }
    return SUCCESS;
}
Answer cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
    std::chrono::steady_clock::time_point never;
    require(start->has_time && end->has_time, "the time of events without one");
    if (start->happened == never || end->happened == never) {
        return NOT_READY;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(end->happened - start->happened).count();
    return SUCCESS;
}
Answer cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
    Stream *other = event->stream;
    size_t place = event->place;
    return other ? take(stream, [=] { run_until(other, place); }) : SUCCESS;
}
Answer cuEventDestroy_v2(Event *event) { return --events, delete event, SUCCESS; }

Answer cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    void *place = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(place, 0xff, bytes);
    *address = (uint64_t)place;
    memory[*address] = {place, bytes};
    return SUCCESS;
}
Answer cuMemGetInfo_v2(size_t *spare, size_t *all) {
    size_t used = 0;
    for (const auto &piece : memory) {
        used += piece.second.second;
    }
    require(current_context != nullptr, "a call without a current context");
    return *all = 1 << 30, *spare = *all - std::min(used, *all), SUCCESS;
}
Answer cuMemFree_v2(uint64_t address) {
    require(memory.count(address), "memory given back that was never had");
    free(memory[address].first);
    return memory.erase(address), SUCCESS;
}
Answer cuMemAllocHost_v2(void **place, size_t bytes) {
    return *place = malloc(bytes), pinned[*place] = bytes, SUCCESS;
}
Answer cuMemFreeHost(void *place) {
    // Overwritten and kept: a copy that still waits for it gets something else.
    memset(place, 0xff, pinned[place]);
    return pinned.erase(place), SUCCESS;
}

Answer cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Stream *stream) {
    if (stream->capturing) {
        return CAPTURE_UNSUPPORTED;
    }
    require_memory(to, bytes, "a copy to nowhere");
    return take(stream, [=] { memcpy((void *)to, from, bytes); });
}
Answer cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, Stream *stream) {
    if (stream->capturing) {
        return CAPTURE_UNSUPPORTED;
    }
    require_memory(from, bytes, "a copy from nowhere");
    return take(stream, [=] { memcpy(to, (void *)from, bytes); });
}
Answer cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Stream *stream) {
    require_memory(to, bytes, "a copy to nowhere");
    require_memory(from, bytes, "a copy from nowhere");
    return take(stream, [=] { memmove((void *)to, (void *)from, bytes); });
}
Answer cuMemsetD32Async(uint64_t at, unsigned value, size_t words, Stream *stream) {
    require_memory(at, 4 * words, "words set nowhere");
    return take(stream, [=] {
        for (size_t i = 0; i < words; ++i) {
            ((unsigned *)at)[i] = value;
        }
    });
}

// An image is the path of a library.
Answer cuModuleLoadData(void **module, const void *image) {
    *module = dlopen((const char *)image, RTLD_NOW | RTLD_LOCAL);
    return *module ? (++modules, SUCCESS) : INVALID_VALUE;
}
Answer cuModuleUnload(void *module) { return --modules, dlclose(module), SUCCESS; }
Answer cuModuleGetFunction(Function **function, void *module, const char *name) {
    std::string kernel = name;
    *function = new Function;
    (*function)->run = dlsym(module, "run_on_host");
    (*function)->host = dlsym(module, ("host_" + kernel).c_str());
    (*function)->pack = dlsym(module, ("pack_" + kernel).c_str());
    return (*function)->run && (*function)->host && (*function)->pack ? SUCCESS : NOT_FOUND;
}
Answer cuFuncSetAttribute(Function *function, int attribute, int value) {
    require(attribute == 8, "an unknown attribute of a kernel");
    return value <= 227 << 10 ? (function->allowed_shared_bytes = value, SUCCESS) : INVALID_VALUE;
}
Answer cuLaunchKernel(Function *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                      unsigned threads_z, unsigned shared_bytes, Stream *stream, void **arguments, void **extra) {
    if (x == 0 || y == 0 || y > 65535 || z != 1 || threads_y != 1 || threads_z != 1 || extra ||
        shared_bytes > function->allowed_shared_bytes) {
        return INVALID_VALUE;
    }
    // The arguments are taken now, the kernel runs later.
    void **packed = ((void **(*)(void **))function->pack)(arguments);
    typedef void Run(void *, void **, unsigned, unsigned, unsigned, size_t, bool);
    return take(stream, [=] { ((Run *)function->run)(function->host, packed, x, y, threads, shared_bytes, false); });
}

Answer cuStreamBeginCapture_v2(Stream *stream, int) {
    require(!stream->capturing, "a capture within a capture");
    return stream->capturing = true, stream->captured.clear(), SUCCESS;
}
Answer cuStreamEndCapture(Stream *stream, std::vector<Work> **graph) {
    require(stream->capturing, "the end of no capture");
    return stream->capturing = false, ++graphs, *graph = new std::vector<Work>(stream->captured), SUCCESS;
}
Answer cuGraphInstantiateWithFlags(std::vector<Work> **executable, std::vector<Work> *graph, unsigned long long) {
    return ++executables, *executable = new std::vector<Work>(*graph), SUCCESS;
}
Answer cuGraphDestroy(std::vector<Work> *graph) { return --graphs, delete graph, SUCCESS; }
Answer cuGraphExecDestroy(std::vector<Work> *executable) { return --executables, delete executable, SUCCESS; }
Answer cuGraphLaunch(std::vector<Work> *executable, Stream *stream) {
    for (const Work &work : *executable) {
        take(stream, work);
    }
    return SUCCESS;
}

// The compiler of the kernels.

struct Compilation {
    std::string source, image, log;
};

Answer nvrtcCreateProgram(Compilation **program, const char *source, const char *, int, const char *const *,
                          const char *const *) {
    return ++compilations, *program = new Compilation{source, "", ""}, SUCCESS;
}
Answer nvrtcDestroyProgram(Compilation **program) { return --compilations, delete *program, SUCCESS; }
Answer nvrtcCompileProgram(Compilation *program, int count, const char *const *options) {
    std::set<std::string> given(options, options + count);
    require(given.count("--gpu-architecture=sm_90") && given.count("--std=c++17"), "other options than expected");
    // What was compiled once is there for all processes.
    std::string text = std::to_string(std::hash<std::string>()(program->source));
    program->image = std::string(getenv("SIMULATED_CUDA_FOLDER")) + "/program-" + text + ".so";
    if (access(program->image.c_str(), F_OK) == 0) {
        return SUCCESS;
    }
    std::string stem = program->image + "." + std::to_string(getpid());
    std::ofstream out(stem + ".cpp");
    out << "#include \"" HOST_HEADER "\"\n" << program->source;
    std::regex kernel("extern \"C\" __global__ void\\s+(?:__launch_bounds__\\(THREADS\\)\\s+)?(\\w+)\\(([^)]*)\\)");
    for (std::sregex_iterator i(program->source.begin(), program->source.end(), kernel), end; i != end; ++i) {
        std::string name = (*i)[1], list = (*i)[2], call, pack;
        std::regex argument("([^,]*[ *])\\w+\\s*(?:,|$)");
        int index = 0;
        for (std::sregex_iterator a(list.begin(), list.end(), argument), none; a != none; ++a, ++index) {
            std::string comma = index ? ", " : "", type = (*a)[1];
            std::string place = "*(std::remove_const_t<" + type + "> *)p[" + std::to_string(index) + "]";
            call += comma + place;
            pack += comma + "new std::remove_const_t<" + type + ">(" + place + ")";
        }
        out << "\nextern \"C\" void host_" << name << "(void **p) { " << name << "(" << call << "); }\n"
            << "extern \"C\" void **pack_" << name << "(void **p) { return new void *[]{" << pack << "}; }\n";
    }
    out.close();
    std::string command = "c++ -std=c++17 -O2 -w -shared -fPIC -o " + stem + " " + stem + ".cpp";
    if (system(command.c_str()) != 0 || rename(stem.c_str(), program->image.c_str()) != 0) {
        program->log = "the host's compiler fails";
        return 6;
    }
    return SUCCESS;
}
Answer nvrtcGetCUBINSize(Compilation *program, size_t *size) { return *size = program->image.size() + 1, SUCCESS; }
Answer nvrtcGetCUBIN(Compilation *program, char *image) { return strcpy(image, program->image.c_str()), SUCCESS; }
Answer nvrtcGetProgramLogSize(Compilation *program, size_t *size) { return *size = program->log.size() + 1, SUCCESS; }
Answer nvrtcGetProgramLog(Compilation *program, char *log) { return strcpy(log, program->log.c_str()), SUCCESS; }

// Products, column-major.

struct Operation {
    int compute, transposed[2] = {0, 0};
    unsigned epilogue = 1;
    uint64_t bias = 0;
};

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t stride;

    double at(const void *values, bool transposed, uint64_t row, uint64_t column) const {
        uint64_t place = transposed ? row * stride + column : column * stride + row;
        if (type == 0) {
            return ((const float *)values)[place];
        }
        unsigned bits = (unsigned)((const uint16_t *)values)[place] << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
};

struct Choice {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

Answer cublasLtCreate(void **handle) { return ++descriptions, *handle = &descriptions, SUCCESS; }
Answer cublasLtDestroy(void *) { return --descriptions, SUCCESS; }
Answer cublasLtMatmulDescCreate(Operation **operation, int compute, int scale) {
    require(scale == 0, "scales are f32");
    require(compute == 68 || compute == 77, "an unknown way to compute");
    ++descriptions;
    *operation = new Operation;
    (*operation)->compute = compute;
    return SUCCESS;
}
Answer cublasLtMatmulDescDestroy(Operation *operation) { return --descriptions, delete operation, SUCCESS; }
Answer cublasLtMatmulDescSetAttribute(Operation *operation, int attribute, const void *value, size_t size) {
    switch (attribute) {
    case 3:
    case 4:
        return memcpy(&operation->transposed[attribute - 3], value, 4), size == 4 ? SUCCESS : INVALID_VALUE;
    case 7:
        return memcpy(&operation->epilogue, value, 4), size == 4 ? SUCCESS : INVALID_VALUE;
    case 8:
        return memcpy(&operation->bias, value, 8), size == 8 ? SUCCESS : INVALID_VALUE;
    case 26:
        return size == 4 ? SUCCESS : INVALID_VALUE;
    }
    return INVALID_VALUE;
}
Answer cublasLtMatrixLayoutCreate(Layout **layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
    require(stride >= (int64_t)rows, "a stride shorter than a column");
    return ++descriptions, *layout = new Layout{type, rows, columns, stride}, SUCCESS;
}
Answer cublasLtMatrixLayoutDestroy(Layout *layout) { return --descriptions, delete layout, SUCCESS; }
Answer cublasLtMatmulPreferenceCreate(int **preference) { return ++descriptions, *preference = new int, SUCCESS; }
Answer cublasLtMatmulPreferenceDestroy(int *preference) { return --descriptions, delete preference, SUCCESS; }
Answer cublasLtMatmulPreferenceSetAttribute(int *, int attribute, const void *, size_t size) {
    return size == (attribute == 1 ? 8 : 4) ? SUCCESS : INVALID_VALUE;
}
// Sums over the terms of the first factor and of the second; none of an odd number of terms, so that what is done then is
// tested too.
const unsigned SUMS_OF_FIRST = 256, SUMS_OF_SECOND = 512;
const Answer NOT_SUPPORTED = 15;

Answer cublasLtMatmulAlgoGetHeuristic(void *, Operation *operation, Layout *a_layout, Layout *, Layout *, Layout *, int *,
                                      int wanted, Choice *choice, int *count) {
    uint64_t terms = operation->transposed[0] ? a_layout->rows : a_layout->columns;
    if (operation->epilogue >= SUMS_OF_FIRST && terms % 2 == 1) {
        return *count = 0, NOT_SUPPORTED;
    }
    memset(choice, 0, sizeof *choice);
    choice->workspace = 1 << 20;
    return *count = wanted, SUCCESS;
}
Answer cublasLtMatmul(void *, Operation *operation, const float *alpha, const void *a, Layout *a_layout, const void *b,
                      Layout *b_layout, const float *beta, const float *c, Layout *, float *d, Layout *d_layout,
                      const void *, void *workspace, size_t workspace_bytes, Stream *stream) {
    bool ta = operation->transposed[0], tb = operation->transposed[1];
    uint64_t m = d_layout->rows, n = d_layout->columns, k = ta ? a_layout->rows : a_layout->columns;
    bool fits = m == (ta ? a_layout->columns : a_layout->rows) && k == (tb ? b_layout->columns : b_layout->rows) &&
                n == (tb ? b_layout->rows : b_layout->columns) && *alpha == 1;
    if (!fits) {
        return INVALID_VALUE;
    }
    require_memory((uint64_t)workspace, workspace_bytes, "a workspace nowhere");
    require_memory((uint64_t)d, 4 * m * n, "a product to nowhere");
    const float *bias = operation->epilogue == 4 ? (const float *)operation->bias : nullptr;
    float *sums = operation->epilogue >= SUMS_OF_FIRST ? (float *)operation->bias : nullptr;
    bool of_first = operation->epilogue == SUMS_OF_FIRST;
    if (sums) {
        require_memory(operation->bias, 4 * (of_first ? m : n), "sums to nowhere");
    }
    float add = *beta;
    Layout first = *a_layout, second = *b_layout;
    return take(stream, [=] {
        for (uint64_t place = 0; sums && place < (of_first ? m : n); ++place) {
            double sum = 0;
            for (uint64_t i = 0; i < k; ++i) {
                sum += of_first ? first.at(a, ta, place, i) : second.at(b, tb, i, place);
            }
            sums[place] = (float)sum;
        }
        for (uint64_t column = 0; column < n; ++column) {
            for (uint64_t row = 0; row < m; ++row) {
                double sum = (add != 0 ? add * c[column * m + row] : 0) + (bias ? bias[row] : 0);
                for (uint64_t i = 0; i < k; ++i) {
                    sum += first.at(a, ta, row, i) * second.at(b, tb, i, column);
                }
                d[column * m + row] = (float)sum;
            }
        }
    });
}
}

#include "nccl.cpp"
