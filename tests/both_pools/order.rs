//! In which order queued tasks begin.

use crate::common::{Address, Mailbox};
use crate::pools::{Handle, Pool, Setup, occupy, tell};
use concurrent_futures::{Executor, Future, Order, TaskOptions};

on_both_pools! {
    tasks_begin_in_the_order_of_submission,
    the_newest_task_begins_first,
    the_most_urgent_task_begins_first,
    equally_urgent_tasks_begin_in_the_order_of_submission,
    a_cancelled_task_is_passed_over_in_every_order,
    a_priority_means_nothing_in_another_order,
}

fn ordered<P: Pool>(workers: usize, order: Order) -> P {
    P::built(Setup { order, ..Setup::new(workers) })
}

/// The numbers in the order in which tasks with these priorities begin, on the only worker that is
/// left when all others are busy; those are cancelled whose numbers are given.
fn begun<P: Pool>(
    workers: usize,
    order: Order,
    priorities: &[i32],
    cancelled: &[usize],
) -> Vec<u32> {
    let (pool, mail) = (ordered::<P>(workers, order), Mailbox::new());
    let (_others, _busy) = occupy(&pool, workers - 1);
    let (gate, _busy) = occupy(&pool, 1);
    // One may be sent ahead to each worker, and so has its place already.
    let ahead: Vec<_> = (0..workers).map(|_| pool.submit(|()| (), ())).collect();
    let submit = |(n, priority): (usize, &i32)| -> Future<u32> {
        let argument: (Address, u32) = (mail.address(), n as u32);
        pool.with(TaskOptions::new().priority(*priority)).submit(tell, argument)
    };
    let futures: Vec<_> = priorities.iter().enumerate().map(submit).collect();
    cancelled.iter().for_each(|n| assert!(futures[*n].cancel()));
    gate.open();
    let letters = mail.take(priorities.len() - cancelled.len());
    assert!(ahead.into_iter().all(|future| future.result().is_ok()));
    letters.iter().map(|letter| letter.parse().unwrap()).collect()
}

fn tasks_begin_in_the_order_of_submission<P: Pool>(workers: usize) {
    assert_eq!(begun::<P>(workers, Order::Fifo, &[0; 6], &[]), [0, 1, 2, 3, 4, 5]);
}

fn the_newest_task_begins_first<P: Pool>(workers: usize) {
    assert_eq!(begun::<P>(workers, Order::Lifo, &[0; 6], &[]), [5, 4, 3, 2, 1, 0]);
}

fn the_most_urgent_task_begins_first<P: Pool>(workers: usize) {
    let priorities = [1, -3, 7, 0, i32::MAX, i32::MIN];
    assert_eq!(begun::<P>(workers, Order::Priority, &priorities, &[]), [4, 2, 0, 3, 1, 5]);
}

fn equally_urgent_tasks_begin_in_the_order_of_submission<P: Pool>(workers: usize) {
    let priorities = [1, 2, 1, 2, 1, 2];
    assert_eq!(begun::<P>(workers, Order::Priority, &priorities, &[]), [1, 3, 5, 0, 2, 4]);
}

fn a_cancelled_task_is_passed_over_in_every_order<P: Pool>(workers: usize) {
    assert_eq!(begun::<P>(workers, Order::Fifo, &[0; 4], &[1, 3]), [0, 2]);
    assert_eq!(begun::<P>(workers, Order::Lifo, &[0; 4], &[1, 3]), [2, 0]);
    assert_eq!(begun::<P>(workers, Order::Priority, &[1, 9, 3, 9], &[1, 3]), [2, 0]);
}

fn a_priority_means_nothing_in_another_order<P: Pool>(workers: usize) {
    assert_eq!(begun::<P>(workers, Order::Fifo, &[1, 2, 3], &[]), [0, 1, 2]);
}
