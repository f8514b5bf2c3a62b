//! How a worker is started: its process, what it shares with this one, and what it is told to be.

use super::Pool;
use super::line::{Line, Means};
use super::settings::Settings;
use crate::process::machine::WorkerId;
use crate::process::own::{Mark, VARIABLE};
use crate::process::page::Page;
use crate::process::wire::frame::Kind;
use crate::process::wire::message::{Capture, Configure, MOST_HEAD};
use crate::sync::{Arc, deadline_after};
use crate::sys::capture::Transcript;
use crate::sys::child::{self, Child};
use crate::sys::{Bell, Link, fault, refusal, usable_processors};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variables by which native thread pools are told how many threads to have.
const SHARES: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
];

/// Starts the process of a worker.
pub(crate) fn start(pool: &Arc<Pool>, worker: WorkerId, index: usize) -> io::Result<Arc<Line>> {
    let settings = &pool.settings;
    if deadline_after(settings.start_timeout).is_some() {
        // Or nobody would mind that time.
        pool.timer.start()?;
    }
    refusal!(PageMaking);
    fault!(PageMaking);
    let page = Page::new()?;
    let transcript = settings.output.map(transcript).transpose()?;
    refusal!(LinkMaking);
    fault!(LinkMaking);
    let (link, far_end) = Link::pair()?;
    let share = (usable_processors() / settings.max_workers).max(1);
    let mut command = command(settings, index, share)?;
    command.env(VARIABLE, Mark { parent: std::process::id(), page: page.number() }.to_string());
    command.stdin(far_end);
    let configure = configure(settings, index, share, transcript.as_ref());
    // The longest frame is a result with what stands before it.
    let most = settings.max_message.saturating_add(MOST_HEAD);
    refusal!(BellMaking);
    fault!(BellMaking);
    let bell = Bell::new()?;
    // Nothing may fail from here on, for somebody has to bury the process.
    let child = Child::spawn(&mut command).map_err(|error| why_not_started(settings, error))?;
    // The far end must be the worker's alone, or its end would not be heard.
    drop(command);
    let means = Means { page, link, bell, transcript };
    let mut line = Line::new(worker, index, means, child, most);
    let timeline = settings.timeline.as_ref();
    line.lane = timeline.map(|it| it.lane_of_process(&settings.name, index, line.process_id()));
    let line = Arc::new(line);
    line.push_message(Kind::Configure, &configure);
    Ok(line)
}

/// This executable once more, with what the settings say of its surroundings.
fn command(settings: &Settings, index: usize, share: usize) -> io::Result<Command> {
    let mut command = Command::new(child::executable());
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    for variable in SHARES {
        if std::env::var_os(variable).is_none() {
            command.env(variable, share.to_string());
        }
    }
    command.envs(settings.environment.iter().map(|(name, value)| (name, value)));
    if let Some(environment) = &settings.environment_of {
        for (name, value) in environment(index) {
            child::check_variable(&name, &value).map_err(|reason| {
                let text = format!("the environment variable {name:?} cannot be set: {reason}");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
            command.env(name, value);
        }
    }
    if let Some(directory) = &settings.current_dir {
        command.current_dir(directory);
    }
    Ok(command)
}

/// What the worker is told to be.
fn configure(
    settings: &Settings,
    index: usize,
    share: usize,
    transcript: Option<&Transcript>,
) -> Configure {
    let initializer = settings.initializer.as_ref();
    Configure {
        index,
        parent: std::process::id(),
        most: settings.max_message,
        depth: settings.depth + 1,
        max_depth: settings.max_depth,
        processors: share,
        niceness: settings.niceness,
        affinity: settings.affinity.as_ref().map(|affinity| affinity(index)),
        address_space: settings.address_space,
        memory: settings.memory,
        initializer: initializer.map(|(code, argument, _)| (*code, argument.clone())),
        finalizer: settings.finalizer,
        capture: transcript.map(|it| Capture { ends: it.ends(), most: it.most() }),
        measures: settings.measures,
    }
}

/// The system does not say what it is that is not there.
fn why_not_started(settings: &Settings, error: io::Error) -> io::Error {
    match &settings.current_dir {
        Some(directory)
            if !directory.is_dir() || error.kind() == io::ErrorKind::PermissionDenied =>
        {
            let text =
                format!("its working directory {} cannot be entered: {error}", directory.display());
            io::Error::new(error.kind(), text)
        }
        _ => error,
    }
}

fn transcript(most: usize) -> io::Result<Transcript> {
    refusal!(TranscriptMaking);
    fault!(TranscriptMaking);
    Transcript::new(most)
}
