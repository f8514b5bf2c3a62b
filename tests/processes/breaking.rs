//! What breaks a pool, and what its futures say then.

use crate::common::{panic_quietly, within};
use crate::death::aborts;
use crate::support::{Door, Folder, death_of, knock, note, noted, send_signal, until_gone};
use concurrent_futures::{
    BuildError, DeathCause, OnWorkerDeath, ProcessPoolExecutor, Refusal, TaskErrorKind,
};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// What the pool's refusal says.
fn refusal_of<S: 'static>(executor: &ProcessPoolExecutor<S>) -> String {
    let error = executor.submit(|()| (), ()).result().unwrap_err();
    assert!(error.is_broken() && error.is_refused(), "{error}");
    error.to_string()
}

#[test]
fn a_death_breaks_a_pool_that_is_to_break() {
    within(|| {
        let (here, there) = (Door::new(), Door::new());
        let executor = ProcessPoolExecutor::builder()
            .max_workers(2)
            .on_worker_death(OnWorkerDeath::Break)
            .build()
            .unwrap();
        let neighbour = executor.submit(knock, here.path());
        let near = here.open();
        let doomed = executor.submit(knock, there.path());
        let dead = there.open();
        let waiting: Vec<_> = (0..8).map(|_| executor.submit(|()| (), ())).collect();
        send_signal(dead.process, libc::SIGKILL);

        assert_eq!(death_of(doomed).1.process_id(), dead.process);
        let (_, death) = death_of(neighbour);
        assert_eq!((death.process_id(), death.cause()), (near.process, &DeathCause::Ended));
        for future in waiting {
            let error = future.result().unwrap_err();
            assert!(matches!(error.kind(), TaskErrorKind::Broken(_)), "{error}");
        }
        let refusal = refusal_of(&executor);
        assert!(refusal.contains(&format!("process {}", dead.process)), "{refusal}");
        until_gone(near.process);
        executor.shutdown(true, false);
    });
}

#[test]
fn a_callback_may_wait_for_another_task_that_ends_with_the_pool() {
    within(|| {
        let door = Door::new();
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .on_worker_death(OnWorkerDeath::Break)
            .build()
            .unwrap();
        let running = executor.submit(knock, door.path());
        let worker = door.open();
        let [first, second] = [(); 2].map(|()| executor.submit(|()| (), ()));
        let (said, heard) = mpsc::channel();
        first.add_done_callback(move |_| said.send(second.result().unwrap_err()).unwrap());
        send_signal(worker.process, libc::SIGKILL);
        assert!(heard.recv().unwrap().is_broken());
        death_of(running);
    });
}

#[test]
fn a_setting_that_panics_for_a_worker_breaks_the_pool() {
    within(|| {
        let environment = |_| -> [(&str, &str); 0] { panic_quietly(()) };
        let processors = |_| -> Vec<usize> { panic_quietly(()) };
        let builder = || ProcessPoolExecutor::builder().max_workers(1);
        let builders =
            [builder().env_of_worker(environment), builder().affinity_of_worker(processors)];
        for executor in builders.map(|it| it.build().unwrap()) {
            let error = executor.submit(|()| (), ()).result().unwrap_err();
            assert!(error.is_broken(), "{error}");
            let refusal = refusal_of(&executor);
            assert!(refusal.contains("a worker process cannot be set up"), "{refusal}");
            executor.shutdown(true, false);
        }
    });
}

#[test]
fn too_many_deaths_break_the_pool_and_the_cause_says_so() {
    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .on_worker_death(OnWorkerDeath::Replace { most: 2, within: AN_HOUR })
            .build()
            .unwrap();
        for _ in 0..2 {
            death_of(executor.submit(aborts, ()));
            executor.submit(|()| (), ()).result().unwrap();
        }
        let last = executor.submit(aborts, ());
        let queued: Vec<_> = (0..100).map(|_| executor.submit(|()| (), ())).collect();
        death_of(last);
        for future in queued {
            let error = future.result().unwrap_err();
            assert!(error.is_broken(), "{error}");
        }
        let refusal = refusal_of(&executor);
        assert!(
            refusal.contains("more worker processes died than are to be replaced"),
            "{refusal}"
        );
        assert!(refusal.contains("SIGABRT"), "{refusal}");
    });
}

#[test]
fn workers_that_the_pool_ends_itself_do_not_count_as_deaths() {
    within(|| {
        let door = Door::new();
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .grace(Duration::ZERO)
            .on_worker_death(OnWorkerDeath::Break)
            .build()
            .unwrap();
        for _ in 0..3 {
            let endless = executor.submit(knock, door.path());
            let visitor = door.open();
            assert!(endless.abort());
            assert!(endless.result().unwrap_err().is_cancelled());
            until_gone(visitor.process);
        }
        executor.submit(|()| (), ()).result().unwrap();
    });
}

#[test]
fn an_initializer_that_dies_now_and_then_costs_no_task() {
    fn dies_at_first(path: PathBuf) {
        note(path.clone());
        if noted(&path).len() < 3 {
            std::process::exit(1);
        }
    }
    within(|| {
        let folder = Folder::new();
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .initializer(dies_at_first, folder.path("starts"))
            .build()
            .unwrap();
        assert_eq!(executor.submit(|n: u32| n + 1, 1).result().unwrap(), 2);
        assert_eq!(noted(&folder.path("starts")).len(), 3);
    });
}

/// What a pool with this initializer says.
fn said_by<S: 'static>(executor: ProcessPoolExecutor<S>) -> (String, String) {
    let error = executor.submit(|()| (), ()).result().unwrap_err();
    let TaskErrorKind::Broken(cause) = error.kind() else { panic!("{error}") };
    let cause = cause.to_string();
    let again = executor.submit(|()| (), ()).result().unwrap_err();
    assert!(matches!(again.kind(), TaskErrorKind::Refused(Refusal::Broken(_))), "{again}");
    assert!(again.to_string().contains(&cause), "{again}");
    executor.shutdown(true, false);
    (error.to_string(), cause)
}

#[test]
fn what_a_worker_cannot_be_is_told() {
    within(|| {
        let (_, cause) = said_by(
            ProcessPoolExecutor::builder()
                .max_workers(1)
                .affinity_of_worker(|_| Vec::new())
                .build()
                .unwrap(),
        );
        assert!(cause.contains("setting its affinity failed"), "{cause}");
    });
}

#[test]
fn a_missing_directory_refuses_tasks_with_the_systems_answer() {
    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .current_dir("/nowhere/at/all")
            .build()
            .unwrap();
        let error = executor.submit(|()| (), ()).result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::NoWorker(_))), "{error}");
        let text = error.to_string();
        assert!(text.contains("working directory /nowhere/at/all cannot be entered"), "{text}");
        assert!(text.contains("No such file or directory"), "{text}");
        // Which would be of no use.
        assert!(!text.contains("limit of the system"), "{text}");
    });
}

#[test]
fn a_variable_that_cannot_be_is_told_when_the_pool_is_built() {
    let cases = [
        ("A=B", "value", "its name contains `=`"),
        ("", "value", "its name is empty"),
        ("A\0B", "value", "its name contains a NUL"),
        ("NAME", "val\0ue", "its value contains a NUL"),
    ];
    for (name, value, reason) in cases {
        let error = ProcessPoolExecutor::builder().env(name, value).build().unwrap_err();
        assert!(matches!(error, BuildError::InvalidVariable { .. }), "{error}");
        assert!(error.to_string().ends_with(reason), "{error}");
    }
}

#[test]
fn a_variable_that_cannot_be_of_one_worker_refuses_tasks_and_is_told() {
    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .env_of_worker(|index| [(format!("DEVICE={index}"), "0")])
            .build()
            .unwrap();
        let error = executor.submit(|()| (), ()).result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::NoWorker(_))), "{error}");
        let text = error.to_string();
        assert!(text.ends_with("\"DEVICE=0\" cannot be set: its name contains `=`"), "{text}");
    });
}

#[test]
fn the_error_of_an_initializer_brings_its_causes() {
    fn fails(_: ()) -> anyhow::Result<()> {
        Err(anyhow::anyhow!("the tray is empty").context("out of paper"))
    }
    within(|| {
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.try_initializer(fails, ()).build().unwrap();
        let text = executor.spawn(|| 1).result().unwrap_err().to_string();
        assert!(text.contains("failed: out of paper: the tray is empty"), "{text}");
    });
}
