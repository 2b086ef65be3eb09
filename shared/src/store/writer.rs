//! A database's one writer: a thread, a bounded queue, and one commit for all that is waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::StoreError;

/// From one commit to the next where nobody is in a hurry; as long at most may such work lie before it is committed.
pub const LINGER: Duration = Duration::from_millis(250);
/// As long at most may lie what nobody waits for and nobody misses: what many small writes share, the same pages and one
/// commit, costs the less the more of them there are.
pub const LINGER_IDLY: Duration = Duration::from_secs(1);
/// Enough for a burst of small writes; a bulk load fills it and is slowed to the disk's pace.
const QUEUE: usize = 1_024;
/// When so many are in the queue, the writer takes them out of it, whether or not it commits yet.
const CROWD: usize = QUEUE / 2;
/// The most jobs of one commit: as many as the fastest machine brings within [`LINGER`], so that each page that they share
/// is written once for all of them.
const GROUP: usize = 4_096;

/// A database that a [`Writer`] can drive.
pub trait Database: Send + 'static {
    /// Begins a transaction that [`Self::commit`] ends.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// Makes all since [`Self::begin`] durable.
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Forgets all since [`Self::begin`].
    fn rollback(&mut self);
    /// Marks a place inside the transaction, so that one failed job takes back only itself.
    fn mark(&mut self) -> Result<(), StoreError>;
    /// Keeps what was done since [`Self::mark`].
    fn keep(&mut self) -> Result<(), StoreError>;
    /// Takes back what was done since [`Self::mark`].
    fn undo(&mut self) -> Result<(), StoreError>;
    /// Whether the transaction that [`Self::begin`] began is still there. A database may end it by itself, and take back
    /// all that was done in it, as SQLite does when the disk is full.
    fn stands(&self) -> bool;
}

type Work<D> = Box<dyn FnOnce(&mut D) -> Result<(), StoreError> + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Job<D> {
    work: Work<D>,
    /// Told after the commit, or why there was none.
    answer: Answer,
    haste: Haste,
    /// Whether it has a transaction to itself.
    alone: bool,
}

/// How soon a job is to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Haste {
    /// Within [`LINGER_IDLY`].
    None,
    /// Within [`LINGER`].
    Some,
    /// At once: whoever waits for it is held up.
    All,
}

/// What ends a writer's wait for company.
#[derive(Debug, Default)]
struct Bell {
    rung: Notify,
    /// Whether the writer waits longer than [`LINGER`], and so wants to hear of whoever has not that much time.
    idle: AtomicBool,
}

/// The handle to a database's writer. The thread ends when it is gone.
#[derive(Debug)]
pub struct Writer<D> {
    queue: mpsc::Sender<Job<D>>,
    bell: Arc<Bell>,
    thread: thread::JoinHandle<()>,
}

/// Work that was handed over, and may not be done yet.
#[derive(Debug)]
pub struct Handed<R>(oneshot::Receiver<Result<R, StoreError>>);

impl<R> Handed<R> {
    /// Returns when it is durable.
    ///
    /// # Errors
    /// What the work says, or what the commit says; then nothing of it has happened.
    pub async fn hear(self) -> Result<R, StoreError> {
        self.0.await.map_err(|_| StoreError::Closed)?
    }
}

impl<D: Database> Writer<D> {
    /// Starts the thread `name`.
    pub(super) fn start(name: &str, database: D) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let bell = Arc::<Bell>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|source| StoreError::io(name.as_ref(), source))?;
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn({
                let bell = Arc::clone(&bell);
                move || runtime.block_on(drive(database, jobs, &bell))
            })
            .map_err(|source| StoreError::io(name.as_ref(), source))?;
        Ok(Self { queue, bell, thread })
    }

    /// Waits until all that was handed over is durable and the database is closed. Blocks.
    pub(super) fn close(self) {
        drop(self.queue);
        self.bell.rung.notify_one();
        // A writer that panicked has nothing left to close.
        let _ = self.thread.join();
    }

    /// Whether the writer waits for whoever has less time than what it holds.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.bell.idle.load(Ordering::SeqCst)
    }

    /// Does `work` and returns when it is durable.
    ///
    /// # Errors
    /// What `work` says, or what the commit says; then nothing of it has happened.
    pub async fn call<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    {
        self.hand(work).await?.hear().await
    }

    /// Hands `work` over, which is begun at once, and returns before it is done: whoever has more of it hands that over
    /// meanwhile, and one commit does for all that is waiting. Work is done in the order in which it was handed over; what
    /// stands on earlier work must find out by itself whether that was taken back.
    ///
    /// # Errors
    /// [`StoreError::Closed`] if there is no writer any more.
    pub async fn hand<R, F>(&self, work: F) -> Result<Handed<R>, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    {
        let (job, answer) = question(work);
        self.queue.send(job).await.map_err(|_| StoreError::Closed)?;
        self.bell.rung.notify_one();
        Ok(Handed(answer))
    }

    /// As [`Self::call`], in a transaction of its own: of work without bounds what it might have to take back need not be
    /// kept in memory, because a failure takes the whole transaction back.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_alone<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    {
        let (job, answer) = question(work);
        let job = Job { alone: true, ..job };
        self.queue.send(job).await.map_err(|_| StoreError::Closed)?;
        self.bell.rung.notify_one();
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// As [`Self::call`], for whoever has time: what comes within [`LINGER`] behind the last commit waits for the next one,
    /// so that many who ask at the same time cost one commit and not one each.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_unhurried<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    {
        let (job, answer) = question(work);
        self.send(Job { haste: Haste::Some, ..job }).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// As [`Self::call`], from a thread that may block.
    pub fn call_blocking<R, F>(&self, work: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    {
        let (job, answer) = question(work);
        self.queue.blocking_send(job).map_err(|_| StoreError::Closed)?;
        self.bell.rung.notify_one();
        answer.blocking_recv().map_err(|_| StoreError::Closed)?
    }

    /// Hands `work` over and does not wait: it is durable within [`LINGER`], or with the next [`Self::call`]. `done`
    /// hears what became of it, on the writer's thread, which it must not hold up.
    pub async fn cast<R, F, G>(&self, work: F, done: G) -> Result<(), StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
        G: FnOnce(Result<R, StoreError>) + Send + 'static,
    {
        self.send(Job { haste: Haste::Some, ..job(work, done) }).await
    }

    /// As [`Self::cast`], durable within [`LINGER_IDLY`]: for what is done all the time, and nobody looks out for.
    pub async fn cast_idly<R, F, G>(&self, work: F, done: G) -> Result<(), StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
        G: FnOnce(Result<R, StoreError>) + Send + 'static,
    {
        self.send(Job { haste: Haste::None, ..job(work, done) }).await
    }

    async fn send(&self, job: Job<D>) -> Result<(), StoreError> {
        let haste = job.haste;
        self.queue.send(job).await.map_err(|_| StoreError::Closed)?;
        let waits_on = haste > Haste::None && self.bell.idle.load(Ordering::SeqCst);
        if waits_on || QUEUE - self.queue.capacity() >= CROWD {
            self.bell.rung.notify_one();
        }
        Ok(())
    }
}

/// A job whose `done` is told after the commit.
fn job<D, R, F, G>(work: F, done: G) -> Job<D>
where
    R: Send + 'static,
    F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
    G: FnOnce(Result<R, StoreError>) + Send + 'static,
{
    let (give, mut take) = oneshot::channel();
    let work = move |database: &mut D| {
        let value = work(database)?;
        // The other end lives in the answer below, so this cannot be refused.
        let _ = give.send(value);
        Ok(())
    };
    let answer = move |committed: Result<(), StoreError>| {
        done(committed.and_then(|()| take.try_recv().map_err(|_| StoreError::Closed)));
    };
    Job { work: Box::new(work), answer: Box::new(answer), haste: Haste::All, alone: false }
}

/// A job whose answer somebody waits for. One that went away has no use for it; the work stands all the same.
fn question<D, R, F>(work: F) -> (Job<D>, oneshot::Receiver<Result<R, StoreError>>)
where
    R: Send + 'static,
    F: FnOnce(&mut D) -> Result<R, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (job(work, move |done| drop(reply.send(done))), answer)
}

async fn drive<D: Database>(mut database: D, mut jobs: mpsc::Receiver<Job<D>>, bell: &Bell) {
    let mut group = Vec::new();
    let mut next = Instant::now();
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        linger(&mut jobs, &mut group, next, bell).await;
        commit(&mut database, &mut group);
        next = Instant::now() + LINGER;
    }
}

/// Waits for company until `next`, or as much longer as the group has time, as long as nobody is in more of a hurry. Who
/// comes meanwhile and has time wakes nobody: a thousand small writes a second cost a few wakings, not a thousand.
async fn linger<D>(
    jobs: &mut mpsc::Receiver<Job<D>>,
    group: &mut Vec<Job<D>>,
    next: Instant,
    bell: &Bell,
) {
    // Who rang for an earlier group is not heard twice; who rang for this one is in the queue.
    let _ = timeout_at(Instant::now(), bell.rung.notified()).await;
    take(jobs, group);
    if !gather(jobs, group, Haste::Some, next, bell).await {
        return;
    }
    // Set before it is looked who came: whoever comes later sees it, and rings.
    bell.idle.store(true, Ordering::SeqCst);
    take(jobs, group);
    gather(jobs, group, Haste::None, next + LINGER_IDLY.saturating_sub(LINGER), bell).await;
    bell.idle.store(false, Ordering::SeqCst);
}

/// Takes whoever comes until then, as long as the group has room and nobody in it is in more of a hurry than `most`. Gives
/// whether it still has time then.
async fn gather<D>(
    jobs: &mut mpsc::Receiver<Job<D>>,
    group: &mut Vec<Job<D>>,
    most: Haste,
    until: Instant,
    bell: &Bell,
) -> bool {
    while has_time(group, most) && !jobs.is_closed() {
        let rung = timeout_at(until, bell.rung.notified()).await.is_ok();
        take(jobs, group);
        if !rung {
            return has_time(group, most);
        }
    }
    false
}

fn has_time<D>(group: &[Job<D>], most: Haste) -> bool {
    group.len() < GROUP && group.iter().all(|job| job.haste <= most)
}

/// Takes all that has come, as far as a group goes.
fn take<D>(jobs: &mut mpsc::Receiver<Job<D>>, group: &mut Vec<Job<D>>) {
    while group.len() < GROUP
        && let Ok(job) = jobs.try_recv()
    {
        group.push(job);
    }
}

/// Runs all jobs in their order and answers when they are durable: in one transaction, or in as few as the database lets
/// stand, and as jobs need that have one to themselves.
fn commit<D: Database>(database: &mut D, group: &mut Vec<Job<D>>) {
    let mut jobs = group.drain(..).peekable();
    while let Some(job) = jobs.peek() {
        // One that is left without company needs no mark to go back to: the transaction holds nothing else.
        if job.alone || jobs.len() == 1 {
            jobs.next().into_iter().for_each(|job| transact_alone(database, job));
        } else {
            transact(database, &mut std::iter::from_fn(|| jobs.next_if(|job| !job.alone)));
        }
    }
}

/// Runs a job in a transaction of its own.
fn transact_alone<D: Database>(database: &mut D, job: Job<D>) {
    let done = database.begin().and_then(|()| {
        let done = (job.work)(database).and_then(|()| database.commit());
        done.inspect_err(|_| database.rollback())
    });
    (job.answer)(done);
}

/// Runs jobs in one transaction, each behind its own mark, and answers when all is durable. A job that takes the
/// transaction with it is the last one of it.
fn transact<D: Database>(database: &mut D, jobs: &mut impl Iterator<Item = Job<D>>) {
    if let Err(error) = database.begin() {
        return refuse(jobs.map(|job| job.answer), error);
    }
    let mut done = Vec::new();
    let mut ended = None;
    for job in jobs {
        match attempt(database, job.work) {
            Ok(result) => done.push((job.answer, result)),
            Err(error) => {
                done.push((job.answer, Ok(())));
                ended = Some(error);
                break;
            }
        }
    }
    if let Err(error) = ended.map_or_else(|| database.commit(), Err) {
        database.rollback();
        // Who failed by himself hears why; all others hear what took their work with it.
        let (failed, lost): (Vec<_>, Vec<_>) =
            done.into_iter().partition(|(_, result)| result.is_err());
        answer(failed);
        return refuse(lost.into_iter().map(|(answer, _)| answer), error);
    }
    answer(done);
}

/// Runs a job behind its mark and gives how it went; `Err` if the whole transaction went with it, for the job's reason.
fn attempt<D: Database>(
    database: &mut D,
    work: Work<D>,
) -> Result<Result<(), StoreError>, StoreError> {
    let result = database.mark().and_then(|()| work(database)).and_then(|()| database.keep());
    let Err(error) = result else { return Ok(Ok(())) };
    // What cannot be taken back alone is taken back with all the rest: nothing of a failed job may stay.
    if database.stands() && database.undo().is_ok() { Ok(Err(error)) } else { Err(error) }
}

fn answer(done: Vec<(Answer, Result<(), StoreError>)>) {
    for (answer, result) in done {
        answer(result);
    }
}

fn refuse(answers: impl Iterator<Item = Answer>, error: StoreError) {
    let error = Arc::new(error);
    for answer in answers {
        answer(Err(StoreError::Commit(Arc::clone(&error))));
    }
}
