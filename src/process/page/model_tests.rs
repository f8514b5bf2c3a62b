//! The races about one call: the worker that claims it, the parent that takes it back, sends it
//! elsewhere or uses its slot again, and the user who cancels its task.
//!
//! In a model the worker is a thread; what its page is to it, it shares by an `Arc`. A frame is a
//! ticket in a channel.

use super::inbox::Inbox;
use super::loans::Loans;
use super::outcomes::Outcomes;
use super::ring::{CAPACITY, Ring};
use super::slots::{Slots, Ticket};
use crate::queue::{Order, Queue, Tour};
use crate::sync::explore::{Counter, Letter, explore, spawn};
use crate::sync::{Arc, Mutex, UnsafeCell, Weak};
use crate::task::{self, Cancelled, Handle, Owner, OwnerId, Producer, TaskRef};

const fn ticket(number: u32) -> Ticket {
    Ticket(number)
}

/// The worker claims a call, while its parent takes it back: one of them wins, and both know who.
#[test]
fn claim_against_take_back() {
    explore(None, || {
        let slots = Arc::new(Slots::new());
        slots.offer(ticket(1));
        let (shared, runs) = (Arc::clone(&slots), Counter::new());
        let ran = runs.clone();
        let worker = spawn(move || {
            if shared.claim(ticket(1)) {
                ran.add();
            }
        });
        let was_kept = slots.take_back(ticket(1));
        if !was_kept {
            assert!(slots.has_begun(ticket(1)));
        }
        worker.join();
        assert_eq!(runs.get(), usize::from(!was_kept));
        assert_eq!(slots.has_begun(ticket(1)), !was_kept);
    });
}

/// The parent takes a call back and sends another one in its slot, while the worker still reads
/// about the first: the first does not run, and does not use up the second.
#[test]
fn slot_used_again_while_an_older_call_is_read() {
    explore(3, || {
        let slots = Arc::new(Slots::new());
        let inbox = Arc::new(Queue::new(Order::Fifo, 0));
        let runs = [Counter::new(), Counter::new()];
        let work = {
            let (slots, inbox, runs) = (Arc::clone(&slots), Arc::clone(&inbox), runs.clone());
            move || {
                while let Some(number) = inbox.pop(&mut Tour::default()) {
                    if slots.claim(ticket(number)) {
                        runs[number as usize - 1].add();
                    }
                }
            }
        };
        let send = |number| {
            slots.offer(ticket(number));
            inbox.push(number, 0, None);
        };
        send(1);
        let worker = spawn(work.clone());
        let was_kept = slots.take_back(ticket(1));
        if was_kept {
            send(2);
        }
        worker.join();
        // What the worker had not yet heard of.
        work();
        let was_kept = usize::from(was_kept);
        assert_eq!((runs[0].get(), runs[1].get()), (1 - was_kept, was_kept));
    });
}

/// What the parent wrote before it offered a call is there for the worker that claims it, and what
/// the worker did before is there for the parent that sees it begun.
#[test]
fn what_comes_with_a_call() {
    explore(None, || {
        let slots = Arc::new(Slots::new());
        let letters = Arc::new([Letter::new(), Letter::new()]);
        let (shared, read) = (Arc::clone(&slots), Arc::clone(&letters));
        let worker = spawn(move || {
            read[1].write(2);
            if shared.claim(ticket(1)) {
                assert_eq!(read[0].read(), 1);
            }
        });
        letters[0].write(1);
        slots.offer(ticket(1));
        if slots.has_begun(ticket(1)) {
            assert_eq!(letters[1].read(), 2);
        }
        worker.join();
    });
}

/// A call is asked to stop, while it ends and another one begins in its slot: the other one was not
/// asked.
#[test]
fn stop_against_the_next_call_in_the_slot() {
    explore(None, || {
        let slots = Arc::new(Slots::new());
        slots.offer(ticket(1));
        let shared = Arc::clone(&slots);
        let worker = spawn(move || {
            assert!(shared.claim(ticket(1)));
            // Its result is taken here, and the next call sent.
            shared.offer(ticket(2));
            assert!(shared.claim(ticket(2)));
            assert!(!shared.is_stop_requested(ticket(2)));
        });
        slots.request_stop(ticket(1));
        worker.join();
        assert!(slots.is_stop_requested(ticket(1)));
    });
}

// ---- with the task that the call is for -----------------------------------------------------

/// A pool with one task, which does in few words what the pool of processes does.
struct Yard {
    slots: Slots,
    inbox: Queue<Ticket>,
    runs: Counter,
    desk: Mutex<Desk>,
}

struct Desk {
    job: Option<Producer<u32>>,
    /// The call on its way, if it is not known to have begun.
    lent: Option<Ticket>,
    is_queued: bool,
    sent: u32,
}

impl Yard {
    /// A task that is queued.
    fn new() -> (Arc<Yard>, OwnerId, Handle<u32>) {
        let yard = Arc::new(Yard {
            slots: Slots::new(),
            inbox: Queue::new(Order::Fifo, 0),
            runs: Counter::new(),
            desk: Mutex::new(Desk { job: None, lent: None, is_queued: true, sent: 0 }),
        });
        let owner: Weak<Yard> = Arc::downgrade(&yard);
        let id = task::register(owner, false);
        let (producer, handle) = task::promised(id, None);
        assert!(producer.task().enqueue());
        yard.desk.lock().job = Some(producer);
        (yard, id, handle)
    }

    /// Sends the task if it is queued. As in the pool, a task that has just been cancelled is left
    /// to whoever has cancelled it.
    fn dispatch(&self) {
        let mut desk = self.desk.lock();
        let Some(job) = &desk.job else { return };
        if !desk.is_queued || !job.task().lend() {
            return;
        }
        desk.sent += 1;
        desk.is_queued = false;
        let ticket = ticket(desk.sent);
        desk.lent = Some(ticket);
        self.slots.offer(ticket);
        self.inbox.push(ticket, 0, None);
    }

    /// Takes the call back to send it once more, as for an idle worker.
    fn share(&self) {
        let mut desk = self.desk.lock();
        if let Some(ticket) = desk.lent
            && self.slots.take_back(ticket)
        {
            desk.lent = None;
            desk.is_queued = true;
        }
        drop(desk);
        self.dispatch();
    }

    /// The worker, and the thread beside it that takes its results.
    fn work(&self) {
        while let Some(ticket) = self.inbox.pop(&mut Tour::default()) {
            if self.slots.claim(ticket) {
                self.runs.add();
                let mut desk = self.desk.lock();
                desk.lent = None;
                let mut job = desk.job.take().unwrap();
                // Under the lock: whoever comes to take it back has to find that it has begun.
                let _ = job.begin();
                drop(desk);
                job.conclude(Ok(ticket.0)).expect("a task that has not ended");
            }
        }
    }
}

impl Owner for Yard {
    fn task_cancelled(&self, _task: &TaskRef) {
        let mut desk = self.desk.lock();
        assert_eq!(desk.lent, None, "cancelled while a worker may begin it");
        desk.is_queued = false;
        let job = desk.job.take();
        drop(desk);
        drop(job);
    }

    fn stop_requested(&self, _task: &TaskRef) {}

    fn take_back(&self, task: &TaskRef) -> bool {
        let mut desk = self.desk.lock();
        if let Some(ticket) = desk.lent {
            let was_kept = self.slots.take_back(ticket);
            desk.lent = None;
            if !was_kept {
                desk.job.as_mut().unwrap().begin().expect("a task that has not ended");
                return false;
            }
            desk.is_queued = true;
        }
        task.end_lending();
        true
    }
}

/// Whether the task ran or was cancelled, which is one of the two.
fn conclude(yard: &Yard, owner: OwnerId, handle: Handle<u32>, came: Cancelled) {
    // What the worker had not yet heard of.
    yard.work();
    task::unregister(owner);
    let is_cancelled = came == Cancelled::Now;
    assert_eq!(yard.runs.get(), usize::from(!is_cancelled));
    match handle.take() {
        Ok(_) => assert!(!is_cancelled),
        Err(error) => assert!(is_cancelled && error.is_cancelled()),
    }
}

/// The user cancels a task that is lent to a worker, while the worker claims it: it runs or is
/// cancelled.
#[test]
fn cancel_of_a_lent_task_against_claim() {
    explore(3, || {
        let (yard, owner, handle) = Yard::new();
        yard.dispatch();
        let shared = Arc::clone(&yard);
        let worker = spawn(move || shared.work());
        let came = handle.task().try_cancel();
        worker.join();
        conclude(&yard, owner, handle, came);
    });
}

/// The user cancels a task, while its pool lends it: it is cancelled before, or taken back after.
#[test]
fn cancel_against_lending() {
    explore(3, || {
        let (yard, owner, handle) = Yard::new();
        let shared = Arc::clone(&yard);
        let pool = spawn(move || shared.dispatch());
        assert_eq!(handle.task().try_cancel(), Cancelled::Now);
        pool.join();
        conclude(&yard, owner, handle, Cancelled::Now);
    });
}

/// The user cancels a task, while its pool takes it back from one worker and sends it once more, and
/// while a worker claims whatever it reads about.
#[test]
fn cancel_of_a_lent_task_that_is_sent_again() {
    explore(2, || {
        let (yard, owner, handle) = Yard::new();
        yard.dispatch();
        let (one, two) = (Arc::clone(&yard), Arc::clone(&yard));
        let worker = spawn(move || one.work());
        let pool = spawn(move || two.share());
        let came = handle.task().try_cancel();
        worker.join();
        pool.join();
        conclude(&yard, owner, handle, came);
    });
}

/// The worker puts frames into the ring while the parent takes them out: what comes out is what went
/// in, whole, in order, and once, also where the ring comes round.
#[test]
fn ring_passes_frames_on() {
    explore(3, || {
        let (ring, put) = (Arc::new(Ring::new()), Arc::new(Mutex::new(Vec::new())));
        let (shared, log) = (Arc::clone(&ring), Arc::clone(&put));
        let worker = spawn(move || {
            for frame in [&[1, 2][..], &[3, 4, 5], &[6]] {
                if shared.put(&frame[..1], &frame[1..]) {
                    log.lock().extend_from_slice(frame);
                }
            }
        });
        let mut taken = [0; 6];
        let first = ring.take(&mut taken).unwrap();
        assert!([0, 2, 3, 5, 6].contains(&first), "whole frames: {taken:?}");
        worker.join();
        let second = ring.take(&mut taken[first..]).unwrap();
        assert_eq!(taken[..first + second], **put.lock());
    });
}

/// The worker goes to sleep while the parent puts a call in: it does not sleep over it.
#[test]
fn call_against_a_worker_that_goes_to_sleep() {
    explore(None, || {
        let inbox = Arc::new(Inbox::new());
        let shared = Arc::clone(&inbox);
        let worker = spawn(move || {
            let mut call = [0; 1];
            while shared.take(&mut call).unwrap().0 == 0 {
                shared.sleep(None);
            }
            assert_eq!(call, [7]);
        });
        assert_eq!(inbox.put(&[7]), 1);
        inbox.wake();
        worker.join();
    });
}

/// The parent finds the ring full while the worker makes room: it finds the room, or is told.
#[test]
fn full_inbox_against_a_worker_that_makes_room() {
    explore(None, || {
        let inbox = Arc::new(Inbox::new());
        assert_eq!(inbox.put(&[1; CAPACITY]), CAPACITY);
        let (shared, rings) = (Arc::clone(&inbox), Counter::new());
        let ringing = rings.clone();
        let worker = spawn(move || {
            let (taken, is_wanted) = shared.take(&mut [0; CAPACITY]).unwrap();
            assert_eq!(taken, CAPACITY);
            if is_wanted {
                ringing.add();
            }
        });
        let sent = inbox.put(&[2]);
        worker.join();
        assert!(sent == 1 || rings.get() == 1);
    });
}

/// A thread stops attending to a worker, while that runs out of calls: one finds the outcome, or the
/// other rings.
#[test]
fn last_look_against_a_worker_that_runs_out_of_calls() {
    explore(None, || {
        let outcomes = Arc::new(Outcomes::new());
        outcomes.attend();
        let (shared, rings) = (Arc::clone(&outcomes), Counter::new());
        let ringing = rings.clone();
        let worker = spawn(move || {
            assert!(shared.put(&[1], &[2]));
            if !shared.is_attended() {
                ringing.add();
            }
        });
        outcomes.leave();
        let found = outcomes.take(&mut [0; 2]).unwrap();
        worker.join();
        assert!(found == 2 || rings.get() == 1);
    });
}

/// The worker lends the memory of an outcome, and writes the next one there when it is free again,
/// while the parent reads the first and gives it back.
#[test]
fn memory_is_written_again_when_it_was_given_back() {
    struct Memory(UnsafeCell<u8>);

    // SAFETY: the memory is only touched, and not read or written: whether it might have been, at that
    // moment, is what the model looks at.
    unsafe impl Sync for Memory {}

    explore(None, || {
        let shared =
            Arc::new((Loans::new(), Memory(UnsafeCell::new(0)), Queue::new(Order::Fifo, 0)));
        let worker = {
            let shared = Arc::clone(&shared);
            spawn(move || {
                let (loans, memory, link) = &*shared;
                for _ in 0..2 {
                    if loans.is_lent(0) {
                        return;
                    }
                    memory.0.with_mut(|_| ());
                    loans.lend(0);
                    link.push((), 0, None);
                }
            })
        };
        let (loans, memory, link) = &*shared;
        if link.pop(&mut Tour::default()).is_some() {
            memory.0.with(|_| ());
            loans.give_back(0);
        }
        worker.join();
    });
}
