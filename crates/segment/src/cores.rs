use std::sync::Mutex;

/// Does some work on each item, on all processors at once; what it gives, in the order of the items. A panic of the work
/// is one of the caller.
pub fn on_all_cores<T: Send, R: Send>(items: impl Iterator<Item = T> + Send, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let items = Mutex::new(items.enumerate());
    let take = || items.lock().expect("an iterator that does not panic").next();
    let run = || {
        let mut done = Vec::new();
        while let Some((at, item)) = take() {
            done.push((at, work(item)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others = std::thread::available_parallelism().map_or(1, usize::from) - 1;
        let others: Vec<_> = (0..others).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
