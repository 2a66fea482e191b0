//! Worker processes.

use super::cases::Case;
use super::job::{Job, Outcome};
use super::worker::MARK;
use crate::failure::Done;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A case with what is to be done for it.
pub struct Plan {
    /// The case.
    pub case: Case,
    /// Why nothing is.
    pub skipped: Option<String>,
    /// Its units.
    pub jobs: Vec<Job>,
}

/// Runs all jobs in so many processes, and hands over the outcomes case by case, in the order of the plans.
///
/// # Errors
/// What `sink` gives; the rest is then given up.
pub fn run(
    plans: &[Plan],
    processes: usize,
    timeout: Duration,
    sink: &mut dyn FnMut(&Plan, Vec<Outcome>) -> Done,
) -> Done {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (send, receive) = channel();
    std::thread::scope(|scope| {
        for _ in 0..processes.min(plans.len()).max(1) {
            let send = send.clone();
            scope.spawn(|| {
                let (send, mut worker) = (send, None);
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(plan) = plans.get(index) else { break };
                    let outcomes = plan.jobs.iter().map(|job| judge(job, &mut worker, timeout)).collect::<Vec<_>>();
                    if send.send((index, outcomes)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut done = 0;
        while let Ok((index, outcomes)) = receive.recv() {
            waiting.insert(index, outcomes);
            while let Some(outcomes) = waiting.remove(&done) {
                sink(&plans[done], outcomes).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
                done += 1;
            }
        }
        Ok(())
    })
}

/// One job, by the worker at hand or a new one; a worker that dies or does not answer is given up.
fn judge(job: &Job, slot: &mut Option<Worker>, timeout: Duration) -> Outcome {
    let mut worker = match slot.take().map_or_else(Worker::start, Ok) {
        Ok(worker) => worker,
        Err(e) => return Outcome::failed(format!("cannot start a worker: {e}")),
    };
    match worker.ask(job, timeout) {
        Ok(outcome) => {
            *slot = Some(worker);
            outcome
        }
        Err(End::Timeout) => {
            worker.kill();
            Outcome::failed(format!("no result within {} s", timeout.as_secs()))
        }
        Err(End::Died) => Outcome::failed(worker.epitaph()),
    }
}

/// Why there is no answer.
enum End {
    Timeout,
    Died,
}

/// Lines of a dead worker's error output that are kept.
const LAST_WORDS: usize = 4;

struct Worker {
    child: Child,
    jobs: Option<ChildStdin>,
    answers: Receiver<String>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Worker {
    fn start() -> std::io::Result<Worker> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("check-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let missing = || std::io::Error::other("the pipes of the process are missing");
        let (stdout, stderr) = (child.stdout.take().ok_or_else(missing)?, child.stderr.take().ok_or_else(missing)?);
        let jobs = child.stdin.take();
        let (send, answers) = channel();
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let words = last_words.clone();
        let readers = vec![
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(answer) = line.strip_prefix(MARK)
                        && send.send(answer.to_owned()).is_err()
                    {
                        return;
                    }
                }
            }),
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok).filter(|l| !l.trim().is_empty()) {
                    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                    words.push_back(line);
                    if words.len() > LAST_WORDS {
                        words.pop_front();
                    }
                }
            }),
        ];
        Ok(Worker { child, jobs, answers, last_words, readers })
    }

    fn ask(&mut self, job: &Job, timeout: Duration) -> Result<Outcome, End> {
        let line = serde_json::to_string(job).map_err(|_| End::Died)?;
        let jobs = self.jobs.as_mut().ok_or(End::Died)?;
        writeln!(jobs, "{line}").and_then(|()| jobs.flush()).map_err(|_| End::Died)?;
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => serde_json::from_str(&answer).map_err(|_| End::Died),
            Err(RecvTimeoutError::Timeout) => Err(End::Timeout),
            Err(RecvTimeoutError::Disconnected) => Err(End::Died),
        }
    }

    fn kill(&mut self) {
        // It may have ended by itself meanwhile; then there is nothing to kill.
        let _ = self.child.kill();
    }

    /// How a worker that gave no answer ended.
    fn epitaph(mut self) -> String {
        self.jobs = None;
        let status = self.child.wait();
        for reader in self.readers.drain(..) {
            // The readers end with their pipes.
            let _ = reader.join();
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = words.iter().map(|w| format!("; {w}")).collect::<String>();
        match status {
            Ok(status) => format!("the worker died: {status}{words}"),
            Err(e) => format!("the worker died: {e}{words}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Its input ends, and with it the process; one that hangs was killed before.
        self.jobs = None;
        let _ = self.child.wait();
    }
}
