//! What the command line asks for.

use std::process::Command;

/// The choices of one run.
#[derive(Default)]
pub(crate) struct Options {
    /// Only checks the results, with a tiny form of everything.
    pub(crate) is_test: bool,
    /// Instead of the number of rounds that each workload asks for.
    pub(crate) rounds: Option<usize>,
    /// Beginnings of the names of workloads; none for all.
    names: Vec<String>,
    /// The one workload that this process is for.
    only: Option<String>,
}

/// Before the name of the one workload that a process is for.
const ONLY: &str = "--only";

impl Options {
    pub(crate) fn from_arguments() -> Self {
        let mut options = Options::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {} // `cargo bench` says so to every bench.
                "--test" => options.is_test = true,
                "--rounds" => {
                    let number = arguments.next().and_then(|it| it.parse().ok());
                    options.rounds = Some(number.expect("--rounds is followed by a number"));
                }
                ONLY => options.only = arguments.next(),
                name if !name.starts_with('-') => options.names.push(name.to_lowercase()),
                unknown => panic!("{unknown}: there are --test, --rounds N and names of workloads"),
            }
        }
        options
    }

    /// Whether this process is to run that workload itself.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.only.as_deref() == Some(name)
    }

    /// This program again, for one workload only.
    pub(crate) fn command_for(&self, name: &str) -> Command {
        let program = std::env::current_exe().expect("a program can find itself");
        let mut command = Command::new(program);
        command.args([ONLY, name]);
        if self.is_test {
            command.arg("--test");
        }
        if let Some(rounds) = self.rounds {
            command.args(["--rounds", &rounds.to_string()]);
        }
        command
    }

    pub(crate) fn chooses(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.names.is_empty() || self.names.iter().any(|beginning| name.starts_with(beginning))
    }
}
