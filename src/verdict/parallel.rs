//! Work on many cells at once.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

/// Items that a thread takes at a time.
const CHUNK: usize = 32;

/// What `work` makes of each item, in the order of the items. No number of threads changes what comes out: an item's
/// work knows nothing of the others.
pub(super) fn map<T: Send, R: Send>(threads: NonZeroUsize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.get().min(items.len().div_ceil(CHUNK));
    if threads <= 1 {
        return items.into_iter().map(work).collect();
    }
    let count = items.len();
    let left = Mutex::new(items.into_iter().enumerate());
    let take = || {
        let mut left = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        left.by_ref().take(CHUNK).collect::<Vec<_>>()
    };
    let run = || {
        let mut made = Vec::with_capacity(count / threads);
        loop {
            let chunk = take();
            if chunk.is_empty() {
                return made;
            }
            made.extend(chunk.into_iter().map(|(index, item)| (index, work(item))));
        }
    };
    let mut made = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut made = run();
        for other in others {
            match other.join() {
                Ok(more) => made.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        made
    });
    made.sort_unstable_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, result)| result).collect()
}

/// What both come to, done at the same time where there are threads for it.
pub(super) fn both<A, B: Send>(
    threads: NonZeroUsize,
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if threads == NonZeroUsize::MIN {
        return (one(), other());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_come_back_each_in_its_place() {
        for threads in [1, 2] {
            assert_eq!(both(NonZeroUsize::new(threads).unwrap(), || 1, || "two"), (1, "two"));
        }
    }

    #[test]
    fn results_stand_in_the_order_of_the_items_whatever_the_threads() {
        for threads in [1, 2, 7] {
            for count in [0, 1, CHUNK, 1_000] {
                let squares = map(NonZeroUsize::new(threads).unwrap(), (0..count).collect(), |item| item * item);
                assert_eq!(squares, (0..count).map(|item| item * item).collect::<Vec<_>>());
            }
        }
    }
}
