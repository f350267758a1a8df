//! Runs the tasks of a graph, several at a time, each as soon as everything it needs is done.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// What became of a task.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate<T, E> {
    /// It ended well.
    Done(T),
    /// It ended with an error.
    Failed(E),
    /// A task that it needs, this one, did not end well.
    Blocked(usize),
    /// It was not begun because another one had failed.
    NotBegun,
}

/// Whether tasks are begun after another one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Tasks that run are waited for; no other is begun.
    Stop,
    /// Everything that does not need the failed task is still done.
    Go,
}

/// Runs all tasks, at most `at_once` at the same time. `needs[task]` are the tasks before it, each of a lower number. `work` is
/// given the task and the results of what it needs, in the order of `needs`. Of the tasks that are ready the lowest is begun first.
pub fn run<T, E, W>(needs: &[Vec<usize>], at_once: usize, after_failure: AfterFailure, work: W) -> Vec<Fate<T, E>>
where
    T: Send + Sync,
    E: Send,
    W: Fn(usize, &[&T]) -> Result<T, E> + Sync,
{
    let graph = Graph {
        needs,
        after_failure,
        results: needs.iter().map(|_| OnceLock::new()).collect(),
        tasks: Mutex::new(needs.iter().map(|_| Task::Waiting).collect()),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, needs.len().max(1)) {
            scope.spawn(|| graph.worker(&work));
        }
    });
    let tasks = graph.tasks.into_inner().unwrap_or_else(PoisonError::into_inner);
    tasks
        .into_iter()
        .zip(graph.results)
        .map(|(task, result)| match (task, result.into_inner()) {
            (Task::Failed(error), _) => Fate::Failed(error),
            (Task::Blocked(by), _) => Fate::Blocked(by),
            (_, Some(result)) => Fate::Done(result),
            (_, None) => Fate::NotBegun,
        })
        .collect()
}

enum Task<E> {
    Waiting,
    Running,
    Ended,
    Failed(E),
    Blocked(usize),
}

struct Graph<'g, T, E> {
    needs: &'g [Vec<usize>],
    after_failure: AfterFailure,
    results: Vec<OnceLock<T>>,
    tasks: Mutex<Vec<Task<E>>>,
    changed: Condvar,
}

impl<T: Send + Sync, E: Send> Graph<'_, T, E> {
    fn worker(&self, work: &(impl Fn(usize, &[&T]) -> Result<T, E> + Sync)) {
        while let Some(running) = self.next() {
            let task = running.task;
            let needed: Vec<&T> = self.needs[task].iter().filter_map(|need| self.results[*need].get()).collect();
            match work(task, &needed) {
                Ok(result) => {
                    let set = self.results[task].set(result);
                    debug_assert!(set.is_ok(), "a task runs once");
                    running.end(Task::Ended);
                }
                Err(error) => running.end(Task::Failed(error)),
            }
        }
    }

    /// The next task that is ready; waits while others may still make one ready. None when nothing is left to do.
    fn next(&self) -> Option<Running<'_, T, E>> {
        let mut tasks = self.tasks();
        loop {
            self.block(&mut tasks);
            let failed = tasks.iter().any(|task| matches!(task, Task::Failed(_) | Task::Blocked(_)));
            let waiting = |task: &usize| matches!(tasks[*task], Task::Waiting);
            let ready = |task: &usize| self.needs[*task].iter().all(|need| matches!(tasks[*need], Task::Ended));
            if failed && self.after_failure == AfterFailure::Stop {
                return None;
            }
            if let Some(task) = (0..tasks.len()).filter(waiting).find(ready) {
                tasks[task] = Task::Running;
                return Some(Running { graph: self, task });
            }
            if !tasks.iter().any(|task| matches!(task, Task::Running)) {
                return None;
            }
            tasks = self.changed.wait(tasks).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Marks what can never become ready.
    fn block(&self, tasks: &mut [Task<E>]) {
        for task in 0..tasks.len() {
            if matches!(tasks[task], Task::Waiting) {
                let lost = |need: &&usize| matches!(tasks[**need], Task::Failed(_) | Task::Blocked(_));
                if let Some(need) = self.needs[task].iter().find(lost) {
                    tasks[task] = Task::Blocked(*need);
                }
            }
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Task<E>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that was begun. Should its work panic, the others do not wait for it.
struct Running<'g, T: Send + Sync, E: Send> {
    graph: &'g Graph<'g, T, E>,
    task: usize,
}

impl<T: Send + Sync, E: Send> Running<'_, T, E> {
    fn end(self, how: Task<E>) {
        self.graph.tasks()[self.task] = how;
    }
}

impl<T: Send + Sync, E: Send> Drop for Running<'_, T, E> {
    fn drop(&mut self) {
        let mut tasks = self.graph.tasks();
        if matches!(tasks[self.task], Task::Running) {
            tasks[self.task] = Task::Blocked(self.task);
        }
        drop(tasks);
        self.graph.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{AfterFailure, Fate, run};
    use std::sync::Barrier;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// 0 and 1 stand alone, 2 needs 0, 3 needs both 1 and 2, 4 needs 1.
    fn graph() -> Vec<Vec<usize>> {
        vec![vec![], vec![], vec![0], vec![1, 2], vec![1]]
    }

    #[test]
    fn every_task_gets_the_results_of_what_it_needs() {
        for at_once in 1..6 {
            let fates = run(&graph(), at_once, AfterFailure::Stop, |task, needed: &[&String]| {
                let needed: Vec<&str> = needed.iter().map(|text| text.as_str()).collect();
                Ok::<_, ()>(format!("{task}({})", needed.join(" ")))
            });
            assert_eq!(fates[3], Fate::Done("3(1() 2(0()))".to_owned()));
            assert!(fates.iter().all(|fate| matches!(fate, Fate::Done(_))));
        }
    }

    #[test]
    fn what_does_not_need_each_other_runs_at_the_same_time() {
        // Neither passes before the other has begun.
        let both = Barrier::new(2);
        let fates = run(&[vec![], vec![]], 2, AfterFailure::Stop, |_, _: &[&()]| {
            both.wait();
            Ok::<_, ()>(())
        });
        assert_eq!(fates, [Fate::Done(()), Fate::Done(())]);
    }

    #[test]
    fn no_more_run_than_allowed() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run(&vec![Vec::new(); 20], 3, AfterFailure::Stop, |_, _: &[&()]| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[test]
    fn a_failure_stops_the_rest_or_only_what_needs_it() {
        let work = |task: usize, _: &[&()]| if task == 0 { Err("broken") } else { Ok(()) };
        let stopped = run(&graph(), 1, AfterFailure::Stop, work);
        let [failed, .., last] = stopped.as_slice() else { panic!("five fates") };
        assert_eq!((failed, last), (&Fate::Failed("broken"), &Fate::NotBegun));
        let gone_on = run(&graph(), 1, AfterFailure::Go, work);
        let expected = [Fate::Failed("broken"), Fate::Done(()), Fate::Blocked(0), Fate::Blocked(2), Fate::Done(())];
        assert_eq!(gone_on, expected);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_nobody_waiting() {
        let begun = Mutex::new(Vec::new());
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&graph(), 2, AfterFailure::Go, |task, _: &[&()]| {
                begun.lock().expect("nobody panics with it").push(task);
                assert!(task != 0, "on purpose");
                Ok::<_, ()>(())
            })
        }));
        assert!(result.is_err());
        let begun = begun.into_inner().expect("nobody panics with it");
        assert!(begun.contains(&1) && !begun.contains(&2) && !begun.contains(&3));
    }

    #[test]
    fn no_tasks_are_done_at_once() {
        assert!(run(&[], 4, AfterFailure::Stop, |_, _: &[&()]| Ok::<_, ()>(())).is_empty());
    }
}
