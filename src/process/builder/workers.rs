//! What each worker process is, and what is told of it.

use super::ProcessPoolBuilder;
use crate::error::BuildError;
use crate::sys::child;
use std::ffi::OsString;
use std::path::PathBuf;

/// So much of a stream can be kept of a task.
const MOST_OUTPUT: usize = 1 << 30;

impl<S: 'static> ProcessPoolBuilder<S> {
    /// Replaces a worker between two tasks when it has more than this many bytes of resident memory, without
    /// that through which large arguments and results travel. Default: no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// /// Leaks, as code of others does.
    /// fn leak(bytes: usize) {
    ///     std::mem::forget(vec![1_u8; bytes]);
    /// }
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).memory_limit(64 << 20).build()?;
    /// let before = executor.spawn(std::process::id).result()?;
    /// executor.submit(leak, 100 << 20).result()?;
    /// assert_ne!(executor.spawn(std::process::id).result()?, before); // has been replaced
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings.memory = Some(bytes);
        self
    }

    /// Limits the address space of each worker, in bytes, so that the system refuses it more memory
    /// in the midst of a task; most code aborts then, which ends the worker and fails that task.
    /// Thread stacks and mapped files count too: leave some 100 MB for those. Default: no limit of
    /// its own.
    ///
    /// If the system refuses it, the pool breaks when its first worker starts, with the system's
    /// words.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let builder = ProcessPoolExecutor::builder().max_workers(1);
    /// let executor = builder.address_space_limit(2 << 30).build()?; // 2 GiB
    /// let greedy = executor.submit(|bytes: usize| vec![1_u8; bytes].len(), 16 << 30);
    /// assert!(greedy.result().unwrap_err().worker_death().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn address_space_limit(mut self, bytes: u64) -> Self {
        self.settings.address_space = Some(bytes);
        self
    }

    /// Sets an environment variable for all workers, in addition to those of this process. Those cannot be removed;
    /// what workers should not know can be replaced by an empty text, here and by
    /// [`env_of_worker`](Self::env_of_worker).
    ///
    /// A name that is empty or holds `=`, and a name or value that holds a NUL, cannot be: that is a
    /// [`BuildError`] of [`build`](Self::build).
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let (name, value) = (name.into(), value.into());
        if let Err(reason) = child::check_variable(&name, &value) {
            let name = name.to_string_lossy().into_owned();
            self.error.get_or_insert(BuildError::InvalidVariable { name, reason });
        }
        self.settings.environment.push((name, value));
        self
    }

    /// Sets environment variables for each worker, by its index: one device for each, for instance. If
    /// the function panics, the pool breaks, with the panic as the cause. If it gives a name or value that cannot
    /// be (see [`env`](Self::env)), no worker can be started, and tasks are refused with
    /// [`NoWorker`](crate::Refusal::NoWorker).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(1)
    ///     .env_of_worker(|index| [("CUDA_VISIBLE_DEVICES", index.to_string())])
    ///     .build()?;
    /// let device = executor.submit(|()| std::env::var("CUDA_VISIBLE_DEVICES").ok(), ());
    /// assert_eq!(device.result()?.as_deref(), Some("0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn env_of_worker<I, N, V>(
        mut self,
        environment: impl Fn(usize) -> I + Send + Sync + 'static,
    ) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<OsString>,
        V: Into<OsString>,
    {
        self.settings.environment_of = Some(Box::new(move |index| {
            environment(index)
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        }));
        self
    }

    /// The working directory of the workers. Default: that of this process.
    ///
    /// If it cannot be entered, no worker can be started, and tasks are refused with
    /// [`NoWorker`](crate::Refusal::NoWorker).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).current_dir("/").build()?;
    /// let directory = executor.spawn(|| std::env::current_dir().ok()).result()?;
    /// assert_eq!(directory, Some("/".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.current_dir = Some(directory.into());
        self
    }

    /// The niceness of the workers: 19 is the least urgent. Default: that of this process.
    ///
    /// If the system refuses it, the pool breaks when its first worker starts, with the system's words.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// // Computes only while nobody else wants to.
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).niceness(19).build()?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn niceness(mut self, niceness: i32) -> Self {
        self.settings.niceness = Some(niceness);
        self
    }

    /// The processors that each worker may run on, by its index. Default: those of this process.
    ///
    /// If the function panics, the pool breaks with that panic as its cause; if the system refuses it, with the
    /// system's words. Both happen when its first worker starts.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// // A processor for each worker; both may use the first here.
    /// let builder = ProcessPoolExecutor::builder().max_workers(2);
    /// let executor = builder.affinity_of_worker(|index| vec![0, index]).build()?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn affinity_of_worker(
        mut self,
        processors: impl Fn(usize) -> Vec<usize> + Send + Sync + 'static,
    ) -> Self {
        self.settings.affinity = Some(Box::new(processors));
        self
    }

    /// Keeps what each task writes to standard output and standard error, up to so many bytes of each, for
    /// [`Future::output`](crate::Future::output) and [`TaskError::output`](crate::TaskError::output): also of
    /// tasks that panic, crash, are killed or time out. What is beyond that is thrown away, and
    /// [said](crate::TaskOutput::is_cut) to be. Default: workers write where this process does.
    ///
    /// It does not matter who writes: Rust code, C code, or other processes that the task has started. What those
    /// or the task's threads write after the task is over counts for the next task of that worker. A chunk of a
    /// `map` is one task. Nobody who writes is held up or gets an error, however much it is. What is longer than
    /// 64 KiB takes no memory of the worker: this process reads it, and the worker begins its next task after that.
    ///
    /// The initializer and the finalizer write where this process does. A crash takes along what the task's
    /// process has kept to itself: `print!` without the end of a line, and C's buffers of files.
    ///
    /// Zero is a [`BuildError`] of [`build`](Self::build); more than 1 GiB is not kept. Each worker takes four
    /// descriptors more of this process.
    ///
    /// # Python
    ///
    /// There is no counterpart; `subprocess.run` has `capture_output`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).capture_output(1 << 20).build()?;
    /// let future = executor.submit(|()| eprintln!("almost done"), ());
    /// future.wait();
    /// assert_eq!(future.output().unwrap().stderr(), "almost done\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capture_output(mut self, bytes: usize) -> Self {
        self.settings.output = Some(bytes.min(MOST_OUTPUT));
        self
    }

    /// Measures processor time and peak memory of each task, for [`Future::usage`](crate::Future::usage).
    /// Default: nothing is measured, for it takes some 25 µs a task.
    ///
    /// # Examples
    ///
    /// See [`TaskUsage`](crate::TaskUsage).
    pub fn measure_usage(mut self) -> Self {
        self.settings.measures = true;
        self
    }
}
