//! The picture, from above: title, legend, how many waited, the axis, the lanes, and what never began.

use super::layout::{Bar, Heap, Mark, Pieces, Range, WIDTH, lay_out, marks};
use super::style::{DEFINITIONS, STYLE};
use crate::timeline::snapshot::{Row, Snapshot, Task};
use crate::timeline::trace::{ending, waiting};
use crate::timeline::{Ending, text};
use std::fmt::{self, Display};
use std::io::{self, Write};

/// Where the lanes begin.
const LEFT: f64 = 136.0;
const RIGHT: f64 = 24.0;
/// Text is about this wide.
const CHARACTER: f64 = 6.9;
/// So much of a bar a mark takes.
const MARK: f64 = 9.0;
const GROUP: f64 = 22.0;
const STRIP: f64 = 36.0;

pub(super) fn draw(snapshot: &Snapshot, into: impl Write) -> io::Result<()> {
    let Some(range) = Range::of(snapshot) else {
        return empty(into);
    };
    let pitch = pitch(snapshot.lanes.len());
    let groups = groups(&snapshot.lanes);
    let waiting = waiting(snapshot);
    let strip = if waiting.iter().any(|it| it.1 > 0) { STRIP + 14.0 } else { 0.0 };
    let top = 84.0 + strip + 18.0;
    let headings = if groups.len() > 1 { groups.len() as f64 * GROUP } else { 0.0 };
    let bottom = top + snapshot.lanes.len() as f64 * pitch + headings;
    let not_begun = if snapshot.not_begun.is_empty() { 0.0 } else { 26.0 };
    let (width, height) = (LEFT + WIDTH + RIGHT, bottom + not_begun + 30.0);

    let mut page = Page { into, range };
    page.begin(width, height)?;
    page.head(snapshot)?;
    page.axis(top, bottom + not_begun)?;
    if strip > 0.0 {
        page.strip(&waiting, 84.0)?;
    }
    let pieces = lay_out(snapshot, range);
    let mut y = top;
    let mut lanes = snapshot.lanes.iter().zip(&pieces);
    for (pool, count) in &groups {
        if groups.len() > 1 {
            page.words(LEFT - 124.0, y + 15.0, "group", &shortened(pool, 150))?;
            y += GROUP;
        }
        for (at, (row, pieces)) in lanes.by_ref().take(*count).enumerate() {
            let is_told = at % (12.0 / pitch).ceil().max(1.0) as usize == 0;
            page.lane(row, pieces, y, pitch, is_told)?;
            y += pitch;
        }
    }
    if not_begun > 0.0 {
        page.not_begun(snapshot, y + 4.0)?;
    }
    writeln!(page.into, "</svg>")
}

fn empty(mut into: impl Write) -> io::Result<()> {
    writeln!(
        into,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"400\" height=\"60\">{STYLE}\
         <rect class=\"bg\" width=\"100%\" height=\"100%\"/>\
         <text x=\"24\" y=\"35\">No task has begun, or ended.</text></svg>"
    )
}

/// How far lanes are apart.
fn pitch(lanes: usize) -> f64 {
    match lanes {
        0..=16 => 26.0,
        17..=40 => 18.0,
        41..=100 => 12.0,
        _ => 7.0,
    }
}

/// The pools, and how many lanes each has.
fn groups(lanes: &[Row]) -> Vec<(&str, usize)> {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for row in lanes {
        match groups.last_mut() {
            Some((pool, count)) if *pool == row.pool.name => *count += 1,
            _ => groups.push((&row.pool.name, 1)),
        }
    }
    groups
}

struct Page<W> {
    into: W,
    range: Range,
}

impl<W: Write> Page<W> {
    fn begin(&mut self, width: f64, height: f64) -> io::Result<()> {
        writeln!(
            self.into,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n{STYLE}{DEFINITIONS}\
             <rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>"
        )
    }

    fn words(&mut self, x: f64, y: f64, class: &str, words: &str) -> io::Result<()> {
        let words = Escaped(words);
        writeln!(self.into, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>")
    }

    /// What it is about, and what there is to be seen how often.
    fn head(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let lanes = snapshot.lanes.iter().flat_map(|row| &row.tasks);
        let all = lanes.clone().chain(&snapshot.not_begun);
        let title = format!(
            "{} on {} in {}",
            text::counted(
                all.clone().filter(|it| it.ending() != Some(Ending::Retried)).count(),
                "task"
            ),
            text::counted(snapshot.lanes.len(), "worker"),
            text::time(self.range.length()),
        );
        self.words(12.0, 28.0, "title", &title)?;

        let busy: f64 = snapshot.lanes.iter().map(|row| busy(&row.tasks)).sum();
        let time = self.range.length() as f64 * snapshot.lanes.len().max(1) as f64;
        let mut parts = vec![format!("workers busy {:.0} % of the time", busy / time * 100.0)];
        if let Some(ran) = median(lanes.clone().map(|it| it.ended() - it.begun())) {
            let waited = median(lanes.map(|it| it.begun() - it.queued())).unwrap_or(0);
            let (ran, waited) = (text::time(ran), text::time(waited));
            parts.push(format!("a task waited {waited} and ran {ran} (medians)"));
        }
        if snapshot.dropped > 0 {
            parts.push(format!("the oldest {} are left out", text::count(snapshot.dropped)));
        }
        self.words(12.0, 46.0, "muted", &parts.join(" · "))?;

        let mut x = 12.0;
        let kinds = Ending::ALL.map(Some).into_iter().chain([None]);
        for kind in kinds {
            let count = all.clone().filter(|it| it.ending() == kind).count();
            if count == 0 {
                continue;
            }
            let class = class(kind);
            write!(
                self.into,
                "<rect class=\"{class}\" x=\"{x}\" y=\"57\" width=\"22\" height=\"12\"/>"
            )?;
            if let Some(kind) = kind.filter(|it| is_marked(Some(*it))) {
                self.mark(kind, x + 11.0, 63.0, 1.0, None)?;
            }
            let words = kind.map_or("running", Ending::word);
            let words = format!("{words} {}", text::count(count));
            self.words(x + 28.0, 67.0, "", &words)?;
            x += 28.0 + words.len() as f64 * CHARACTER + 16.0;
        }
        Ok(())
    }

    fn axis(&mut self, top: f64, bottom: f64) -> io::Result<()> {
        let step = text::step(self.range.length(), 10);
        let marks = (0..).map(|at| at * step).take_while(|at| *at <= self.range.length());
        for at in marks {
            let x = LEFT + self.range.x(self.range.begin + at);
            let words = text::time(at);
            writeln!(
                self.into,
                "<path class=\"grid\" d=\"M{x:.1} {}V{bottom}\"/>\
                 <text class=\"muted small\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{}\">{words}</text>\
                 <text class=\"muted small\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{}\">{words}</text>",
                top - 4.0,
                top - 8.0,
                bottom + 16.0,
            )?;
        }
        Ok(())
    }

    /// How many tasks waited, at each time.
    fn strip(&mut self, waiting: &[(u64, i64)], y: f64) -> io::Result<()> {
        let most = waiting.iter().map(|it| it.1).max().unwrap_or(1).max(1);
        let base = y + STRIP;
        self.words(12.0, base - 16.0, "", "waiting")?;
        let words = format!("{} at most", text::count(most as usize));
        self.words(12.0, base - 2.0, "muted small", &words)?;
        // The highest of those that fall upon one pixel.
        let mut heights: Vec<(i64, i64)> = Vec::new();
        for (at, count) in waiting {
            let x = self.range.x(*at) as i64;
            match heights.last_mut() {
                Some(last) if last.0 == x => last.1 = last.1.max(*count),
                _ => heights.push((x, *count)),
            }
        }
        write!(self.into, "<path class=\"waiting\" d=\"M{LEFT} {base}")?;
        for (x, count) in heights {
            let height = count as f64 / most as f64 * STRIP;
            write!(self.into, "H{}V{:.1}", LEFT + x as f64, base - height)?;
        }
        writeln!(self.into, "H{}V{base}z\"/>", LEFT + WIDTH)
    }

    fn lane(
        &mut self,
        row: &Row,
        pieces: &Pieces<'_>,
        y: f64,
        pitch: f64,
        is_told: bool,
    ) -> io::Result<()> {
        let height = pitch - if pitch > 12.0 { 4.0 } else { 2.0 };
        if is_told {
            let name = Escaped(&shortened(&row.worker, 18)).to_string();
            let (x, middle) = (LEFT - 8.0, y + height / 2.0 + 4.0);
            let small = if pitch > 20.0 { "" } else { " class=\"small\"" };
            writeln!(
                self.into,
                "<text{small} text-anchor=\"end\" x=\"{x}\" y=\"{middle}\">{name}</text>"
            )?;
        }
        let name = Escaped(&row.worker);
        writeln!(
            self.into,
            "<rect class=\"lane\" x=\"{LEFT}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\"><title>{name}</title></rect>",
        )?;
        // Those within others come after them, whether they are bars or not.
        for depth in 0.. {
            let heaps: Vec<_> = pieces.heaps.iter().filter(|it| it.depth == depth).collect();
            let bars: Vec<_> = pieces.bars.iter().filter(|it| it.depth == depth).collect();
            if heaps.is_empty() && bars.is_empty() && depth > 0 {
                break;
            }
            let inset = depth as f64 * height / 6.0;
            for heap in heaps {
                self.heap(heap, y + inset, height - 2.0 * inset)?;
            }
            for bar in bars {
                self.bar(bar, y + inset, height - 2.0 * inset)?;
            }
        }
        let scale = (height / 12.0).clamp(0.5, 1.0);
        for Mark { x, ending, count, task } in &pieces.marks {
            let told = if *count == 1 { told(task) } else { several(*count, *ending) };
            self.mark(*ending, LEFT + x, y + height / 2.0, scale, Some(&told))?;
        }
        Ok(())
    }

    fn heap(&mut self, heap: &Heap<'_>, y: f64, height: f64) -> io::Result<()> {
        let Heap { shade, tasks, busy, first, .. } = heap;
        let (x, width) = (LEFT + heap.x, heap.width.min(WIDTH - heap.x).max(0.5));
        let title = match tasks {
            1 => told(first),
            many => format!("{} tasks, busy {:.0} % of the time", text::count(*many), busy * 100.0),
        };
        let title = Escaped(&title);
        writeln!(
            self.into,
            "<rect class=\"heap s{shade}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{title}</title></rect>"
        )
    }

    fn bar(&mut self, bar: &Bar<'_>, y: f64, height: f64) -> io::Result<()> {
        let Bar { task, x, width, .. } = bar;
        let class = class(task.ending());
        let inner = if bar.depth > 0 { " inner" } else { "" };
        let title = told(task);
        let title = Escaped(&title);
        let x = LEFT + x;
        // Neighbours stand apart, if there is room for that. What has an outline needs room for it.
        let gap = if *width > 4.0 { 0.8 } else { *width * 0.15 };
        let has_outline = matches!(task.ending(), None | Some(Ending::Cancelled | Ending::Retried));
        let line = if has_outline && height > 3.0 { 0.5 } else { 0.0 };
        let (left, up) = (x + line, y + line);
        let (wide, high) = ((width - gap - 2.0 * line).max(0.3), height - 2.0 * line);
        writeln!(
            self.into,
            "<rect class=\"{class}{inner}\" x=\"{left:.1}\" y=\"{up:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\">\
             <title>{title}</title></rect>"
        )?;
        let mark = if is_marked(task.ending()) { MARK } else { 0.0 };
        let free = bar.free.min(*width - mark) - 10.0;
        let room = (free / CHARACTER).max(0.0) as usize;
        if room >= 5 && height >= 13.0 {
            let label = shortened(&task.name(), room);
            let class = format!("in in-{class}");
            self.words(x + 5.0, y + height / 2.0 + 4.0, &class, &label)?;
        }
        Ok(())
    }

    fn mark(
        &mut self,
        ending: Ending,
        x: f64,
        y: f64,
        scale: f64,
        told: Option<&str>,
    ) -> io::Result<()> {
        let kind = class(Some(ending));
        let at = format!("translate({x:.1} {y:.1})");
        let scale = if scale == 1.0 { String::new() } else { format!(" scale({scale:.2})") };
        let title = told.map(|it| format!("<title>{}</title>", Escaped(it))).unwrap_or_default();
        writeln!(
            self.into,
            "<use href=\"#m-{kind}\" class=\"m m-{kind}\" transform=\"{at}{scale}\">{title}</use>"
        )
    }

    fn not_begun(&mut self, snapshot: &Snapshot, y: f64) -> io::Result<()> {
        let (x, middle) = (LEFT - 8.0, y + 13.0);
        writeln!(
            self.into,
            "<text text-anchor=\"end\" x=\"{x}\" y=\"{middle}\">never begun</text>\
             <rect class=\"lane\" x=\"{LEFT}\" y=\"{y}\" width=\"{WIDTH}\" height=\"18\"/>"
        )?;
        for Mark { x, ending, count, task } in marks(&snapshot.not_begun, self.range) {
            let told = if count == 1 { told(task) } else { several(count, ending) };
            self.mark(ending, LEFT + x, y + 9.0, 1.0, Some(&told))?;
        }
        Ok(())
    }
}

/// Whether a mark stands at its end.
fn is_marked(ending: Option<Ending>) -> bool {
    !matches!(ending, None | Some(Ending::Finished))
}

fn class(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::TimedOut) => "timed-out",
        Some(ending) => ending.word(),
        None => "running",
    }
}

/// How long the worker was at tasks, those within others not counted again.
fn busy(tasks: &[Task]) -> f64 {
    let (mut busy, mut until) = (0, 0);
    for task in tasks {
        busy += task.ended().saturating_sub(task.begun().max(until));
        until = until.max(task.ended());
    }
    busy as f64
}

fn median(times: impl Iterator<Item = u64>) -> Option<u64> {
    let mut times: Vec<u64> = times.collect();
    let middle = times.len() / 2;
    (!times.is_empty()).then(|| *times.select_nth_unstable(middle).1)
}

fn told(task: &Task) -> String {
    let [waited, ran] = [task.begun() - task.queued(), task.ended() - task.begun()].map(text::time);
    if !task.has_begun() {
        let (name, ending) = (shortened(&task.name(), 200), ending(task));
        return format!("{name}\n{ending} before it began; waited {waited}");
    }
    let process = task.process_id().map(|id| format!("\nprocess {id}")).unwrap_or_default();
    let ending = ending(task);
    format!("{}\n{ending}; waited {waited}, ran {ran}{process}", shortened(&task.name(), 200))
}

fn several(count: usize, ending: Ending) -> String {
    format!("{} {ending}", text::counted(count, "task"))
}

/// Cut where there is no room for the rest.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // More of the end, for it is there that paths and numbers differ.
    let begin: String = text.chars().take(most / 3).collect();
    let left_out = text.chars().count() - (most - most / 3 - 1);
    let end: String = text.chars().skip(left_out).collect();
    format!("{}…{}", begin.trim_end(), end.trim_start())
}

/// Text in XML.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.chars() {
            match part {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\n' | '\t' => write!(f, "{part}")?,
                // No XML may have these, however they are written.
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => f.write_str("\u{fffd}")?,
                _ => write!(f, "{part}")?,
            }
        }
        Ok(())
    }
}
