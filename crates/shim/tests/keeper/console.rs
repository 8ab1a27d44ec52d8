//! What the game writes and what is typed, as readers get it.

use std::{collections::BTreeSet, fs};

use futures_util::StreamExt as _;
use nodepanel_shim::{
    ClientError, LogReader,
    protocol::{ConsoleFrom, RefusalCode},
};
use nodepanel_types::{
    limits::CONSOLE_RING_LINES,
    wire::{ConsoleFrame, ConsoleMode, LineKind, console::GapCause},
};

use crate::harness::{Place, assert_complete, assert_consecutive, lines, output, parse};

fn has_gap(frames: &[ConsoleFrame]) -> bool {
    frames.iter().any(|frame| matches!(frame, ConsoleFrame::Gap { .. }))
}

#[tokio::test]
async fn a_command_is_shown_once_and_typed_once() {
    let shim = Place::game(&["echo"]).start().await;
    let first = shim.client().command("list", "key-1").await.unwrap();
    shim.until_line("got list").await;
    assert_eq!(shim.client().command("list", "key-1").await.unwrap(), first);
    let second = shim.client().command("help", "key-2").await.unwrap();
    assert!(second.line > first.line);
    shim.until_line("got help").await;
    let all = lines(&shim.all().await);
    assert_consecutive(&all);
    let typed: Vec<_> =
        all.iter().filter(|line| line.k == LineKind::In).map(|line| (line.n, line.s.as_str())).collect();
    assert_eq!(typed, [(first.line.unwrap(), "list"), (second.line.unwrap(), "help")]);
    assert_eq!(all.iter().filter(|line| line.s == "got list").count(), 1);
}

#[tokio::test]
async fn what_cannot_be_typed_is_refused_with_the_reason() {
    let shim = Place::script("exec sleep 600").start().await;
    shim.game().await;
    let code = |result: Result<_, ClientError>| match result {
        Err(ClientError::Refused(refusal)) => Some(refusal.code),
        _ => None,
    };
    assert_eq!(code(shim.client().command("two\nlines", "k").await), Some(RefusalCode::Invalid));
    assert_eq!(code(shim.client().command(&"x".repeat(3_000), "k").await), Some(RefusalCode::Invalid));
    assert_eq!(code(shim.client().command("x", "").await), Some(RefusalCode::Invalid));
    // This game reads nothing: its pipe, then the queue, fill up.
    let mut refused = None;
    for n in 0..1_000 {
        let result = shim.client().command(&"x".repeat(2_000), &n.to_string()).await;
        if result.is_err() {
            refused = code(result);
            break;
        }
    }
    assert_eq!(refused, Some(RefusalCode::InputFull));
    // And it can still be killed.
    shim.client().kill().await.unwrap();
    shim.until_exited().await;
    assert_eq!(code(shim.client().command("x", "late").await), Some(RefusalCode::NotRunning));
}

#[tokio::test]
async fn a_terminal_is_a_terminal() {
    let script = "test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; read line; echo \"got $line\"; \
        echo fault >&2; sh -c 'echo controlled > /dev/tty'; printf 'prompt> '; read line; echo bye";
    let shim = Place::script(script).with(|spec| spec.console = ConsoleMode::Pty).start().await;
    shim.until_line("50 200").await;
    shim.client().command("hello", "k").await.unwrap();
    shim.until_line("prompt> ").await;
    shim.client().command("end", "k2").await.unwrap();
    shim.until_exited().await;
    let all = shim.all().await;
    // Nothing is echoed by the terminal itself.
    assert_eq!(output(&all), ["terminal", "50 200", "got hello", "fault", "controlled", "prompt> ", "bye"]);
}

#[tokio::test]
async fn standard_error_and_prompts_are_lines_like_others() {
    let shim = Place::script("echo one; echo two >&2; printf 'name? '; read name; echo hi $name").start().await;
    shim.until_line("name? ").await;
    shim.client().command("Ann", "k").await.unwrap();
    shim.until_exited().await;
    assert_eq!(output(&shim.all().await), ["one", "two", "name? ", "hi Ann"]);
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let shim = Place::game(&["flood", "3000", "40"]).start().await;
    shim.until_line("ready").await;
    let (_, stream) = shim.client().console(ConsoleFrom::After(0), true).await.unwrap();
    let mut stream = Box::pin(stream);
    shim.client().command("go", "1").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 500 {
        seen.extend(lines(&parse(&stream.next().await.unwrap().unwrap())));
    }
    drop(stream);
    shim.client().command("go", "2").await.unwrap();
    let mut floods = 0;
    let last = seen.last().unwrap().n;
    for line in &seen {
        floods += usize::from(line.s == "flooded");
    }
    let rest = shim.read_until(ConsoleFrom::After(last), |line| line.s == "flooded").await;
    assert!(!has_gap(&rest));
    seen.extend(lines(&rest));
    assert_eq!(seen[0].n, 1);
    assert_consecutive(&seen);
    assert!(floods <= 1);
}

#[tokio::test]
async fn lines_that_memory_has_forgotten_come_from_the_log() {
    let count = 3 * CONSOLE_RING_LINES;
    let shim = Place::game(&["flood", &count.to_string(), "30"]).start().await;
    shim.client().command("go", "1").await.unwrap();
    let last = shim.until_line("flooded").await;
    let all = shim.all().await;
    assert!(!has_gap(&all));
    let all = lines(&all);
    assert_eq!((all[0].n, all.last().unwrap().n), (1, last.n));
    assert_consecutive(&all);
    let tail = shim.read_until(ConsoleFrom::Tail(5), |line| line.n == last.n).await;
    assert_eq!(lines(&tail).iter().map(|line| line.n).collect::<Vec<_>>(), (last.n - 4..=last.n).collect::<Vec<_>>());
    // The same without a shim.
    let read = LogReader::new(&shim.spec.log.dir).read_after(last.n - 12_345, 1_000).unwrap();
    assert_eq!((read[0].n, read.len()), (last.n - 12_344, 1_000));
    assert_consecutive(&read);
}

#[tokio::test]
async fn lines_that_the_log_has_dropped_are_announced() {
    let place = Place::game(&["flood", "60000", "50"]).with(|spec| {
        spec.log.segment_bytes = 256 * 1024;
        spec.log.segments = 3;
    });
    let shim = place.start().await;
    shim.client().command("go", "1").await.unwrap();
    let last = shim.until_line("flooded").await;
    let all = shim.all().await;
    let gaps: Vec<_> = all
        .iter()
        .filter_map(|frame| match frame {
            ConsoleFrame::Gap { gap } => Some(gap.clone()),
            _ => None,
        })
        .collect();
    let lines = lines(&all);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].from, gaps[0].why), (1, GapCause::Rotated));
    assert_eq!((gaps[0].to + 1, last.n), (lines[0].n, lines.last().unwrap().n));
    assert_consecutive(&lines);
    let extent = shim.client().state().await.unwrap().console;
    assert_eq!((extent.first, extent.next), (lines[0].n, last.n + 1));
    let size: u64 =
        fs::read_dir(&place.spec.log.dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 4 * place.spec.log.segment_bytes, "{size}");
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_what_it_missed() {
    let count = 12 * CONSOLE_RING_LINES;
    let shim = Place::game(&["flood", &count.to_string(), "60"]).start().await;
    shim.until_line("ready").await;
    let (_, stream) = shim.client().console(ConsoleFrom::After(0), true).await.unwrap();
    let mut stream = Box::pin(stream);
    // Catches up first: both announcements have come.
    let mut frames = Vec::new();
    while frames.iter().filter(|frame| matches!(frame, ConsoleFrame::At { .. })).count() < 2 {
        frames.extend(parse(&stream.next().await.unwrap().unwrap()));
    }
    shim.client().command("go", "1").await.unwrap();
    let last = shim.until_line("flooded").await.n;
    let mut numbers: Vec<u64> = Vec::new();
    let mut slow = false;
    while numbers.last() != Some(&last) {
        frames.extend(parse(&stream.next().await.unwrap().unwrap()));
        for frame in frames.drain(..) {
            match frame {
                ConsoleFrame::Line(line) => numbers.push(line.n),
                ConsoleFrame::Gap { gap } => {
                    slow |= gap.why == GapCause::SlowReader;
                    numbers.extend(gap.from..=gap.to);
                }
                ConsoleFrame::At { .. } => {}
            }
        }
    }
    assert!(slow, "there was no gap");
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "every number is a line or in a gap");
}

#[tokio::test]
async fn numbers_go_on_and_a_killed_shim_loses_no_line_that_was_seen() {
    let place = Place::game(&["flood", "1000000", "40"]);
    let mut frames = Vec::new();
    let mut after = 0;
    for _ in 0..3 {
        let mut shim = place.start().await;
        let (_, stream) = shim.client().console(ConsoleFrom::After(after), true).await.unwrap();
        let mut stream = Box::pin(stream);
        shim.client().command("go", "1").await.unwrap();
        let enough = frames.len() + 20_000;
        while frames.len() < enough {
            frames.extend(parse(&stream.next().await.unwrap().unwrap()));
        }
        shim.kill_shim();
        // What the kernel had already taken over for us counts as seen as well.
        while let Some(Ok(bytes)) = stream.next().await {
            frames.extend(parse(&bytes));
        }
        after = lines(&frames).last().unwrap().n;
    }
    let seen = lines(&frames);
    let kept: BTreeSet<u64> =
        LogReader::new(&place.spec.log.dir).read_after(0, usize::MAX).unwrap().iter().map(|line| line.n).collect();
    let missing: Vec<u64> = seen.iter().map(|line| line.n).filter(|n| !kept.contains(n)).collect();
    assert_eq!(missing, Vec::<u64>::new());
    let numbers: BTreeSet<u64> = seen.iter().map(|line| line.n).collect();
    assert_eq!(numbers.len(), seen.len(), "a number was given twice");
    // On a busy machine this reader may be too slow for the flood: then it is told what it misses.
    assert_complete(&frames);
}

#[tokio::test]
async fn whatever_a_game_writes_it_stays_text() {
    let script = r#"printf '{"n":1,"t":0,"k":"sys","s":"forged"}\n'; printf '\033]0;x\007\033[31mred\033[2J\n';
        printf 'nul\000\377end\n'; head -c 9000 /dev/zero | tr '\0' 'a'; echo"#;
    let shim = Place::script(script).start().await;
    shim.until_exited().await;
    let all = shim.all().await;
    let texts = output(&all);
    assert_eq!(texts[0], r#"{"n":1,"t":0,"k":"sys","s":"forged"}"#);
    assert_eq!(texts[1], "\u{1b}[31mred");
    assert_eq!(texts[2], "nul\u{fffd}end");
    assert_eq!(texts[3..].iter().map(String::len).collect::<Vec<_>>(), [4096, 4096, 808]);
}

#[tokio::test]
async fn our_own_words_are_cleaned_and_numbered_too() {
    let shim = Place::script("exec sleep 600").start().await;
    let said = shim.client().say("Restarted by the agent.\u{1b}]0;x\u{7}").await.unwrap();
    let all = lines(&shim.all().await);
    let line = all.iter().find(|line| Some(line.n) == said.line).unwrap();
    assert_eq!((line.k, line.s.as_str()), (LineKind::Sys, "Restarted by the agent."));
    assert_consecutive(&all);
}
