//! Draws what was seen. Everything is told at any size of the terminal, in less words if it is small.

use super::view::{Executor, RATES, View, Worker};
use crate::executor::Stats;
use crate::timeline::{Ending, Failure, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Sparkline, Widget};
use std::time::Duration;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const PLAIN: Style = Style::new();
const BAD: Style = Style::new().fg(Color::Red);
const BUSY: Style = Style::new().fg(Color::Cyan);

/// How wide the place of one worker is, at least.
const CELL: u16 = 38;

pub(super) fn render(view: &View, area: Rect, buffer: &mut Buffer) {
    let mut page = Page { buffer, area, y: area.y };
    let elapsed = text::time(view.elapsed.as_secs() * 1_000_000_000);
    page.line(&[("executors", BOLD), (&format!("  for {elapsed}"), DIM), ("   q quits", DIM)]);

    let failures = view.failures.len().min(usize::from(area.height / 4)) as u16;
    let below = if failures > 0 { failures + 2 } else { 0 };
    let count = view.executors.len().max(1) as u16;
    let room = area.height.saturating_sub(1 + below + 3 * count);
    let shares = shares(view, room);
    for (executor, rows) in view.executors.iter().zip(shares) {
        page.y += 1;
        page.executor(executor, rows);
    }
    if failures > 0 {
        page.y = page.y.max(area.bottom().saturating_sub(below)) + 1;
        page.line(&[("latest failures", BOLD)]);
        for failure in view.failures.iter().take(usize::from(failures)) {
            page.failure(failure);
        }
    }
}

/// How many rows the workers of each executor get, of so many.
fn shares(view: &View, room: u16) -> Vec<u16> {
    let mut left = room;
    let mut shares = Vec::new();
    for (at, executor) in view.executors.iter().enumerate() {
        let others = (view.executors.len() - at) as u16;
        let wanted = executor.workers.len() as u16;
        let share = wanted.min(left / others.max(1)).max(1).min(left);
        left -= share;
        shares.push(share);
    }
    // What the first ones did not want, and others need.
    for (share, executor) in shares.iter_mut().zip(&view.executors) {
        let more = (executor.workers.len() as u16).saturating_sub(*share).min(left);
        *share += more;
        left -= more;
    }
    shares
}

struct Page<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    y: u16,
}

impl Page<'_> {
    /// Writes pieces of text behind each other, and goes to the next line.
    fn line(&mut self, pieces: &[(&str, Style)]) {
        self.pieces(self.area.x, self.area.width, pieces);
        self.y += 1;
    }

    /// Gives where they end.
    fn pieces(&mut self, mut x: u16, width: u16, pieces: &[(&str, Style)]) -> u16 {
        if self.y >= self.area.bottom() {
            return x;
        }
        let end = (x + width).min(self.area.right());
        for (text, style) in pieces {
            if x < end {
                x = self.buffer.set_stringn(x, self.y, text, usize::from(end - x), *style).0;
            }
        }
        x
    }

    fn executor(&mut self, executor: &Executor, rows: u16) {
        let Executor { name, stats, rate, rates, endings, .. } = executor;
        let busy = stats.workers.saturating_sub(stats.idle);
        let rate = if *rate < 10.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") };
        let head = format!(
            "  {busy} of {} busy   {} waiting   {} done   {rate}  ",
            text::counted(stats.workers, "worker"),
            text::count(stats.queued),
            text::count(stats.done()),
        );
        let x = self.pieces(self.area.x, self.area.width, &[(name, BOLD), (&head, PLAIN)]);
        let width = (rates.len() as u16).min(self.area.right().saturating_sub(x)).min(RATES as u16);
        if width > 0 && self.y < self.area.bottom() {
            let place = Rect { x, y: self.y, width, height: 1 };
            let latest = &rates[rates.len() - usize::from(width)..];
            Sparkline::default().data(latest).style(BUSY).render(place, self.buffer);
        }
        self.y += 1;
        self.endings(stats, endings);
        self.workers(executor, rows);
    }

    /// How many tasks did not end well. The executor knows how many failed; the timeline, as far as it keeps
    /// them, how: so many of them took too long, or were lost.
    fn endings(&mut self, stats: &Stats, endings: &[(Ending, usize)]) {
        let told = |count: usize, word: &str| {
            (count > 0).then(|| format!("{} {word}", text::count(count)))
        };
        let recorded = |ending: Ending| {
            let count = endings.iter().find(|it| it.0 == ending).map_or(0, |it| it.1);
            told(count, ending.word())
        };
        let parts = [Ending::TimedOut, Ending::Lost].into_iter().filter_map(recorded);
        let parts: Vec<String> = parts.collect();
        let failed = told(stats.failed, Ending::Failed.word()).map(|failed| match &parts[..] {
            [] => failed,
            parts => format!("{failed} ({})", parts.join(", ")),
        });
        let cancelled = told(stats.cancelled, Ending::Cancelled.word());
        let told = [failed, cancelled, recorded(Ending::Retried)];
        let told: Vec<String> = told.into_iter().flatten().collect();
        if !told.is_empty() {
            self.line(&[("  ", PLAIN), (&told.join(", "), BAD)]);
        }
    }

    fn workers(&mut self, executor: &Executor, rows: u16) {
        let workers = &executor.workers;
        if workers.is_empty() {
            if !executor.is_recorded && executor.stats.workers > 0 {
                self.line(&[("  its workers are shown if it has a timeline", DIM)]);
            }
            return;
        }
        let columns = (self.area.width / CELL).max(1);
        let (rows, width) = (usize::from(rows.max(1)), self.area.width / columns);
        let columns = usize::from(columns);
        if workers.len() <= rows * columns {
            let rows = workers.len().div_ceil(columns).max(rows.min(workers.len()));
            self.cells(&workers.iter().collect::<Vec<_>>(), rows, width);
            return;
        }
        // One character for each, and then those that are at their task for the longest time.
        let strip = usize::from(self.area.width.saturating_sub(4)).max(1);
        let lines = workers.len().div_ceil(strip);
        for some in workers.chunks(strip).take(rows) {
            let dots: String =
                some.iter().map(|it| if it.task.is_some() { '■' } else { '·' }).collect();
            self.line(&[("  ", PLAIN), (&dots, BUSY)]);
        }
        let left = rows.saturating_sub(lines + 1);
        let mut busy: Vec<&Worker> = workers.iter().filter(|it| it.task.is_some()).collect();
        busy.sort_by_key(|it| std::cmp::Reverse(it.busy_for));
        let all = busy.len();
        busy.truncate(left * columns);
        if !busy.is_empty() {
            let head =
                format!("  the {} longest of {} running", busy.len(), text::counted(all, "task"));
            self.line(&[(&head, DIM)]);
            let rows = busy.len().div_ceil(columns);
            self.cells(&busy, rows, width);
        }
    }

    /// Workers in columns, from the top down.
    fn cells(&mut self, workers: &[&Worker], rows: usize, width: u16) {
        let top = self.y;
        let named: Vec<(String, String)> = workers.iter().map(|it| named(it)).collect();
        let names = named.iter().map(|(name, id)| name.chars().count() + id.len()).max();
        let names = names.unwrap_or_default() as u16;
        for (column, some) in workers.chunks(rows).enumerate() {
            let x = self.area.x + column as u16 * width;
            for (row, worker) in some.iter().enumerate() {
                self.y = top + row as u16;
                self.worker(worker, names, x, width.saturating_sub(1));
            }
        }
        self.y = top + rows as u16;
    }

    /// `names` is how wide those of all are.
    fn worker(&mut self, worker: &Worker, names: u16, x: u16, width: u16) {
        let (name, process) = named(worker);
        self.pieces(x, width, &[(&name, PLAIN), (&process, DIM)]);
        let x_task = (x + names + 2).min(x + width);
        let Some(task) = &worker.task else {
            self.pieces(x_task, x + width - x_task.min(x + width), &[("·", DIM)]);
            return;
        };
        let time = worker.busy_for.map(rounded).unwrap_or_default();
        let length = time.chars().count() as u16;
        let end = x + width;
        let label = end.saturating_sub(x_task).saturating_sub(length + 1);
        self.pieces(x_task, label, &[(task, BUSY)]);
        self.pieces(end.saturating_sub(length).max(x_task), length, &[(&time, PLAIN)]);
    }

    fn failure(&mut self, failure: &Failure) {
        let Failure { label, ending, worker, process_id, ago } = failure;
        let ago = format!("  {:>7} ago  ", rounded(*ago));
        let worker = worker.as_ref().map(|it| format!(" on {it}")).unwrap_or_default();
        let process = process_id.map(|id| format!(", process {id}")).unwrap_or_default();
        let ending = format!("  {ending}");
        self.line(&[(&ago, DIM), (label, PLAIN), (&ending, BAD), (&worker, DIM), (&process, DIM)]);
    }
}

/// Its name, and its process if it has one of its own.
fn named(worker: &Worker) -> (String, String) {
    let process = worker.process_id.map(|id| format!(" {id}")).unwrap_or_default();
    (format!("  {}", worker.name), process)
}

/// A time that a person reads while it changes.
fn rounded(time: Duration) -> String {
    match time.as_millis() as u64 {
        0..1_000 => format!("{} ms", time.as_millis() / 10 * 10),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => text::time(time.as_secs() * 1_000_000_000),
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::executor::Stats;

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        render(view, area, &mut buffer);
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
        (0..height).map(row).map(|it| it.trim_end().to_owned()).collect()
    }

    fn executor(name: &str, workers: usize) -> Executor {
        let worker = |index: usize| Worker {
            name: format!("{name}_{index}").into(),
            process_id: Some(4000 + index as u32),
            task: (index % 10 != 1).then(|| format!("page {index}")),
            busy_for: (index % 10 != 1).then(|| Duration::from_millis(index as u64 * 730)),
        };
        Executor {
            name: name.to_owned(),
            stats: Stats {
                workers,
                idle: workers / 10,
                queued: 12_000,
                finished: 3_500,
                failed: 2,
                cancelled: 3,
                ..Stats::default()
            },
            rate: 812.3,
            rates: vec![1, 5, 9],
            endings: vec![(Ending::Failed, 1), (Ending::Lost, 1), (Ending::Retried, 4)],
            workers: (0..workers).map(worker).collect(),
            is_recorded: true,
        }
    }

    fn failure() -> Failure {
        Failure {
            label: "page 7".to_owned(),
            ending: Ending::Lost,
            worker: Some("pages_2".into()),
            process_id: Some(4002),
            ago: Duration::from_millis(2_500),
        }
    }

    #[test]
    fn a_few_workers_are_told_one_by_one() {
        let view = View {
            elapsed: Duration::from_secs(12),
            executors: vec![executor("pages", 3)],
            failures: vec![failure()],
        };
        let expected = [
            "executors  for 12 s   q quits",
            "",
            "pages  3 of 3 workers busy   12,000 waiting   3,505 done   812/s   ▄█",
            "  2 failed (1 lost), 3 cancelled, 4 retried",
            "  pages_0 4000  page 0             0 ms",
            "  pages_1 4001  ·",
            "  pages_2 4002  page 2            1.5 s",
            "",
            "",
            "latest failures",
            "    2.5 s ago  page 7  lost on pages_2, process 4002",
        ];
        assert_eq!(drawn(&view, 80, 11), expected);
    }

    #[test]
    fn of_many_workers_those_are_told_that_take_longest() {
        let view = View { executors: vec![executor("pages", 300)], ..View::default() };
        let drawn = drawn(&view, 100, 24);
        let dots: usize = drawn.iter().map(|it| it.matches('■').count()).sum();
        assert_eq!(dots, 270);
        assert!(drawn.iter().any(|it| it.contains("longest of 270 tasks running")), "{drawn:#?}");
        assert!(drawn.iter().any(|it| it.contains("page 299")), "{drawn:#?}");
    }

    #[test]
    fn several_executors_share_the_room() {
        let executors = vec![executor("a", 300), executor("b", 2), executor("c", 5)];
        let view = View { executors, failures: vec![failure(); 6], ..View::default() };
        let drawn = drawn(&view, 120, 40);
        for told in ["b_1", "c_4", "latest failures"] {
            assert!(drawn.iter().any(|it| it.contains(told)), "{told}: {drawn:#?}");
        }
    }

    #[test]
    fn no_terminal_is_too_small() {
        let executors = vec![executor("a", 300), executor("b", 2)];
        let view = View { executors, failures: vec![failure(); 6], ..View::default() };
        for (width, height) in [(1, 1), (10, 3), (37, 5), (500, 1), (3, 100)] {
            drawn(&view, width, height);
        }
    }
}
