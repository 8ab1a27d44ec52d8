//! Which configuration an installation runs with: the operator's file, or the last good one where that is broken.
//!
//! ```text
//!  a worker                     the copy that its supervisor named
//!  while workers run            the copy that is in force, whatever became of the file meanwhile
//!  else, the file is right      the file
//!  else, one was good before    that one
//!  else                         nothing starts, with the reason
//! ```
//!
//! A changed file is taken up by a start of the whole installation, by SIGHUP and by `nodepanel upgrade`; never by a worker
//! or a supervisor that comes back after a crash.

use std::path::Path;

use nodepanel_supervise::{
    configuration::{CONFIGURATION, Configurations, Standing},
    record::Record,
    run_dir::RunDir,
};

use super::{Config, DataDir, config::ConfigError};

/// The configuration to run with.
#[derive(Debug, Clone)]
pub struct InForce {
    /// What it says.
    pub config: Config,
    /// Its text.
    pub text: String,
    /// Why the operator's file is not what is in force, as sentences.
    pub notice: Option<Notice>,
}

/// What an operator should know of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It cannot be used.
    Broken(String),
    /// It can, and was not taken up yet.
    Waiting(String),
}

impl Notice {
    /// The sentences.
    pub fn text(&self) -> &str {
        match self {
            Self::Broken(text) | Self::Waiting(text) => text,
        }
    }
}

impl InForce {
    /// What this installation runs with, or would be started with.
    pub fn find(data_dir: &DataDir) -> Result<Self, ConfigError> {
        let known = Configurations::open(data_dir.path());
        let running = || Record::read(&RunDir::path_in(data_dir.path())).is_ok_and(|record| record.anything_runs());
        if let Some(copy) = known.in_force()
            && running()
            && let Some((config, text)) = read_copy(&copy, data_dir)
        {
            return Ok(Self { config, notice: notice(data_dir, &known, &text), text });
        }
        let file = data_dir.config();
        let read = Config::read(&file).and_then(|text| Ok((Config::of(&text, &file)?, text)));
        match read {
            Ok((config, text)) => match known.standing(&text) {
                Standing::Proven | Standing::OnProbation { .. } => Ok(Self { config, text, notice: None }),
                Standing::Refused { good, .. } => match read_copy(&good, data_dir) {
                    Some((config, text)) => Ok(Self { config, notice: notice(data_dir, &known, &text), text }),
                    None => Ok(Self { config, text, notice: None }),
                },
            },
            Err(error) => match known.good().and_then(|good| read_copy(&good, data_dir)) {
                Some((config, text)) => Ok(Self { config, notice: notice(data_dir, &known, &text), text }),
                None => Err(error),
            },
        }
    }

    /// What a worker runs with: the copy that its supervisor named. Started by hand it has none, and neither has one whose
    /// copy is gone: then it is what is in force.
    pub fn of_worker(data_dir: &DataDir) -> Result<Config, ConfigError> {
        match std::env::var_os(CONFIGURATION).and_then(|copy| read_copy(Path::new(&copy), data_dir)) {
            Some((config, _)) => Ok(config),
            None => Self::find(data_dir).map(|found| found.config),
        }
    }

    /// What a build is asked to check: the copy that a supervisor named, or the file as it is now.
    pub fn to_check(data_dir: &DataDir) -> Result<Config, ConfigError> {
        let path = std::env::var_os(CONFIGURATION).map_or_else(|| data_dir.config(), Into::into);
        Config::of(&Config::read(&path)?, &data_dir.config())
    }

    /// How the operator's file is now, beside the text that is in force.
    pub fn notice(data_dir: &DataDir, in_force: &str) -> Option<Notice> {
        notice(data_dir, &Configurations::open(data_dir.path()), in_force)
    }
}

fn read_copy(copy: &Path, data_dir: &DataDir) -> Option<(Config, String)> {
    let text = std::fs::read_to_string(copy).ok()?;
    // Errors name the file that a person wrote.
    Some((Config::of(&text, &data_dir.config()).ok()?, text))
}

fn notice(data_dir: &DataDir, known: &Configurations, in_force: &str) -> Option<Notice> {
    const STAYS: &str = "The last good configuration stays in force";
    let file = data_dir.config();
    let text = match Config::read(&file).and_then(|text| Config::of(&text, &file).map(|_| text)) {
        Ok(text) => text,
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            return Some(Notice::Broken(format!("{error}{cause}. {STAYS}.")));
        }
    };
    if text == in_force {
        return None;
    }
    Some(match known.standing(&text) {
        Standing::Refused { why, .. } => {
            Notice::Broken(format!("the configuration {} was tried and refused: {why}. {STAYS}.", file.display()))
        }
        _ => Notice::Waiting(format!(
            "the configuration {} was changed and is not in force yet. `systemctl reload nodepanel`, or SIGHUP to the \
             supervisor, takes it up.",
            file.display()
        )),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn installation() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir::named(dir.path()).unwrap();
        (dir, data_dir)
    }

    fn prove(data_dir: &DataDir, text: &str) {
        let mut known = Configurations::open(data_dir.path());
        let copy = known.copy(text).unwrap();
        known.put_in_force(&copy).unwrap();
        known.keep(&copy).unwrap();
    }

    #[test]
    fn without_a_good_one_a_broken_file_stops_the_start() {
        let (_dir, data_dir) = installation();
        assert_eq!(InForce::find(&data_dir).unwrap().config, Config::default());
        fs::write(data_dir.config(), "[api]\nservers = 99\n").unwrap();
        let error = InForce::find(&data_dir).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("nodepanel.toml"), "{error}");
    }

    #[test]
    fn a_broken_file_leaves_the_last_good_one_in_force_and_is_named_with_the_line() {
        let (_dir, data_dir) = installation();
        prove(&data_dir, "[api]\nservers = 3\n");
        for broken in ["[api]\nservants = 3\n", "[api]\nservers = 99\n", "[api\n"] {
            fs::write(data_dir.config(), broken).unwrap();
            let found = InForce::find(&data_dir).unwrap();
            assert_eq!(found.config.api.servers, 3);
            let notice = found.notice.unwrap();
            assert!(matches!(&notice, Notice::Broken(_)), "{notice:?}");
            assert!(notice.text().contains("line ") && notice.text().contains("stays in force"), "{notice:?}");
        }
        // What cannot be read at all is no different.
        fs::remove_file(data_dir.config()).unwrap();
        fs::create_dir(data_dir.config()).unwrap();
        assert_eq!(InForce::find(&data_dir).unwrap().config.api.servers, 3);
    }

    #[test]
    fn a_refused_one_is_not_tried_again_until_it_is_changed() {
        let (_dir, data_dir) = installation();
        prove(&data_dir, "[api]\nservers = 3\n");
        let refused = "[api]\nservers = 4\n";
        fs::write(data_dir.config(), refused).unwrap();
        assert_eq!(InForce::find(&data_dir).unwrap().config.api.servers, 4);
        let mut known = Configurations::open(data_dir.path());
        let copy = known.copy(refused).unwrap();
        known.refuse(&copy, "api-1 exited with code 1 with it").unwrap();
        let found = InForce::find(&data_dir).unwrap();
        assert_eq!(found.config.api.servers, 3);
        assert!(found.notice.unwrap().text().contains("exited with code 1"));
        fs::write(data_dir.config(), "[api]\nservers = 5\n").unwrap();
        assert_eq!(InForce::find(&data_dir).unwrap().config.api.servers, 5);
    }
}
