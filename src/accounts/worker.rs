//! The thread that compares and hashes passwords, one at a time: it takes 19 MiB while it does, and nothing before the
//! first.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};

use super::{Done, Job, PasswordWorker, hashing};

/// Jobs that may wait: so long the last of them waits at the most, some seconds.
const QUEUE_JOBS: usize = 64;

/// The next job. While there is none no memory is held for it.
fn next(jobs: &Receiver<Box<Job>>, memory: &mut hashing::Memory) -> Option<Box<Job>> {
    jobs.try_recv().ok().or_else(|| {
        *memory = hashing::Memory::default();
        jobs.recv().ok()
    })
}

/// A thread that does it, from the first password on.
pub struct PasswordThread {
    jobs: Option<SyncSender<Box<Job>>>,
    done: Receiver<Done>,
    done_sender: Sender<Done>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl PasswordThread {
    /// `wake` is called, on that thread, when something is done.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> PasswordThread {
        let (done_sender, done) = channel();
        PasswordThread { jobs: None, done, done_sender, wake }
    }

    fn start(&self) -> Option<SyncSender<Box<Job>>> {
        let (sender, jobs) = sync_channel::<Box<Job>>(QUEUE_JOBS);
        let (done, wake) = (self.done_sender.clone(), Arc::clone(&self.wake));
        let mut random = StdRng::try_from_rng(&mut SysRng).ok()?;
        let run = move || {
            let mut memory = hashing::Memory::default();
            while let Some(job) = next(&jobs, &mut memory) {
                let result = hashing::work(&job, || random.random(), &mut memory);
                // Nobody wants to know any more when the program ends.
                let _ = done.send(Done { job, result });
                wake();
            }
        };
        thread::Builder::new().name("passwords".to_owned()).spawn(run).ok()?;
        Some(sender)
    }
}

impl PasswordWorker for PasswordThread {
    fn submit(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        if self.jobs.is_none() {
            self.jobs = self.start();
        }
        let Some(jobs) = &self.jobs else { return Err(job) };
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }

    fn take_done(&mut self) -> Option<Done> {
        self.done.try_recv().ok()
    }
}
