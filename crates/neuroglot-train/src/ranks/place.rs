//! Which rank a process is, as schedulers and `torchrun` say it.

use super::RanksError;

/// Port where nothing names one, as `torchrun` has it.
const PORT: u16 = 29500;

/// Which of the ranks a process is, and where the first one listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankPlace {
    /// Its number, counted from 0.
    pub rank: usize,
    /// How many there are.
    pub count: usize,
    /// Its number among those of its machine, counted from 0.
    pub local: usize,
    /// Host and port of the first rank.
    pub address: String,
}

impl RankPlace {
    /// Most ranks of a run.
    pub const MOST: usize = 4096;

    /// The place that the environment names: RANK, WORLD_SIZE and LOCAL_RANK as `torchrun` sets them, else SLURM_PROCID,
    /// SLURM_NTASKS and SLURM_LOCALID. The first rank is at MASTER_ADDR and MASTER_PORT; on Slurm, where these are not set, on
    /// the first machine of the job.
    ///
    /// # Errors
    /// [`RanksError::Environment`] names the variable that is missing or wrong.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Self, RanksError> {
        let (names, is_slurm) = match get("RANK") {
            None if get("SLURM_PROCID").is_some() => {
                (["SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"], true)
            }
            _ => (["RANK", "WORLD_SIZE", "LOCAL_RANK"], false),
        };
        let number = |variable: &'static str| {
            match get(variable) {
            None => Err(RanksError::Environment {
                variable,
                problem: "it is not set: start each rank by srun or torchrun, or set RANK, WORLD_SIZE, LOCAL_RANK, \
                          MASTER_ADDR and MASTER_PORT; --devices all uses the GPUs of this machine without any of them"
                    .to_owned(),
            }),
            Some(text) => text.trim().parse::<usize>().ok().filter(|number| *number <= Self::MOST).ok_or_else(|| {
                let problem = format!("`{text}` is no number from 0 to {}", Self::MOST);
                RanksError::Environment { variable, problem }
            }),
        }
        };
        let (rank, count) = (number(names[0])?, number(names[1])?);
        // Where each rank has a machine of its own, nobody sets it.
        let local = if get(names[2]).is_none() { 0 } else { number(names[2])? };
        if rank >= count {
            let problem = format!("{rank} must be below {} = {count}: ranks are counted from 0", names[1]);
            return Err(RanksError::Environment { variable: names[0], problem });
        }
        let host = match (get("MASTER_ADDR"), get("SLURM_JOB_NODELIST").filter(|_| is_slurm)) {
            (Some(host), _) => host,
            (None, Some(list)) => first_host(&list),
            (None, None) if count == 1 => "127.0.0.1".to_owned(),
            (None, None) => {
                let problem = "it is not set: it names the machine of rank 0".to_owned();
                return Err(RanksError::Environment { variable: "MASTER_ADDR", problem });
            }
        };
        let port = match get("MASTER_PORT") {
            Some(text) => text.trim().parse().map_err(|_| RanksError::Environment {
                variable: "MASTER_PORT",
                problem: format!("`{text}` is no port: it is a number from 1 to 65535"),
            })?,
            // Jobs that share a machine do not meet each other.
            None => {
                let job = get("SLURM_JOB_ID").filter(|_| is_slurm).and_then(|id| id.parse::<u64>().ok());
                PORT + (job.unwrap_or(0) % 1000) as u16
            }
        };
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
        Ok(Self { rank, count, local, address: format!("{host}:{port}") })
    }
}

/// The first host of a list as Slurm writes it, such as `gpu[03-05,09],login1`.
fn first_host(list: &str) -> String {
    let mut host = String::new();
    let mut rest = list.trim();
    loop {
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        host.push_str(&rest[..end]);
        let Some(inside) = rest[end..].strip_prefix('[') else { return host };
        let (numbers, behind) = inside.split_once(']').unwrap_or((inside, ""));
        host.push_str(numbers.split([',', '-']).next().unwrap_or_default());
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Result<RankPlace, String> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        RankPlace::from_environment(get).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_as_torchrun_and_slurm_say_them() {
        let torchrun = [
            ("RANK", "5"),
            ("WORLD_SIZE", "8"),
            ("LOCAL_RANK", "1"),
            ("MASTER_ADDR", "node3"),
            ("MASTER_PORT", "1234"),
        ];
        let slurm = [
            ("SLURM_PROCID", "2"),
            ("SLURM_NTASKS", "4"),
            ("SLURM_LOCALID", "0"),
            ("SLURM_JOB_NODELIST", "gpu[03-05,09],login1"),
            ("SLURM_JOB_ID", "1002017"),
        ];
        let address = |address: &str| address.to_owned();
        let of_torchrun = RankPlace { rank: 5, count: 8, local: 1, address: address("node3:1234") };
        assert_eq!(place(&torchrun), Ok(of_torchrun.clone()));
        assert_eq!(
            place(&slurm),
            Ok(RankPlace { rank: 2, count: 4, local: 0, address: address("gpu03:29517") })
        );
        // torchrun within a Slurm job.
        assert_eq!(place(&[&slurm[..], &torchrun].concat()), Ok(of_torchrun));
        let own = place(&[("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "fe80::1")]).unwrap();
        assert_eq!((own.local, own.address.as_str()), (0, "[fe80::1]:29500"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (variables, expected) in [
            (vec![], "RANK: it is not set"),
            (vec![("RANK", "1")], "WORLD_SIZE: it is not set"),
            (vec![("RANK", "2"), ("WORLD_SIZE", "2")], "RANK: 2 must be below WORLD_SIZE = 2"),
            (vec![("RANK", "-1"), ("WORLD_SIZE", "2")], "RANK: `-1` is no number"),
            (vec![("RANK", "1"), ("WORLD_SIZE", "2")], "MASTER_ADDR: it is not set"),
            (
                vec![("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "a"), ("MASTER_PORT", "x")],
                "MASTER_PORT: `x` is no port",
            ),
            (vec![("SLURM_PROCID", "1")], "SLURM_NTASKS: it is not set"),
        ] {
            let error = place(&variables).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_first_host_of_a_list_is_found() {
        for (list, host) in [
            ("node1", "node1"),
            ("a,b", "a"),
            ("gpu[03-05,09],login1", "gpu03"),
            ("gpu[7,9]", "gpu7"),
            ("rack[2-3]-node[11-12]", "rack2-node11"),
            ("broken[", "broken"),
        ] {
            assert_eq!(first_host(list), host);
        }
    }
}
