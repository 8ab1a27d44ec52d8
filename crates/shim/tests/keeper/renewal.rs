//! A shim that goes on as another build while its game runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::StreamExt as _;
use nodepanel_shim::{
    ClientError, ShimClient, place,
    protocol::{ConsoleFrom, RefusalCode, Renewed, ShimState},
};
use nodepanel_supervise::build::Print;
use nodepanel_types::{
    state::Exit,
    wire::{ConsoleLine, ConsoleMode, LineKind, Ready},
};
use tokio::time::sleep;

use crate::harness::{PROGRAM, Place, Shim, TOKEN, assert_consecutive, is_running, lines, parse, wait_for};

/// Another build of the program: the same one, with another time.
fn another_build(place: &Place) -> PathBuf {
    let path = place.path("another-build");
    fs::copy(PROGRAM, &path).unwrap();
    path
}

fn script(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn renew(shim: &Shim, program: &Path) -> Result<Renewed, ClientError> {
    shim.client().renew(program, Print::of(program).unwrap()).await
}

/// Asks again where the connection broke with the old image.
async fn command(shim: &Shim, line: &str, key: &str) -> Option<u64> {
    for _ in 0..10 {
        match shim.client().command(line, key).await {
            Ok(typed) => return typed.line,
            Err(error) if error.is_passing() => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it could not be typed")
}

/// Follows a console from its beginning, resuming by number whenever the connection ends, until the game's end.
async fn follow(state_dir: PathBuf) -> (Vec<ConsoleLine>, usize) {
    let (mut all, mut connections) = (Vec::<ConsoleLine>::new(), 0);
    loop {
        let after = all.last().map_or(0, |line| line.n);
        if let Ok(client) = ShimClient::connect(&state_dir, TOKEN).await
            && let Ok((_, stream)) = client.console(ConsoleFrom::After(after), true).await
        {
            connections += 1;
            let mut stream = Box::pin(stream);
            while let Some(Ok(bytes)) = stream.next().await {
                all.extend(lines(&parse(&bytes)));
                if all.last().is_some_and(|line| line.k == LineKind::Sys && line.s.contains("ended")) {
                    return (all, connections);
                }
            }
        }
        // Between two attempts to connect: the image that goes and the one that comes want the processor, too.
        sleep(Duration::from_millis(2)).await;
    }
}

async fn no_line_is_lost(mode: ConsoleMode) {
    let place = Place::game(&["count", "7"]).with(|spec| spec.console = mode);
    let mut shim = place.start().await;
    let game = shim.game().await;
    let pid = shim.process.id();
    let follower = tokio::spawn(follow(shim.spec.state_dir.clone()));
    let (own, another) = (PathBuf::from(PROGRAM), another_build(&place));
    assert_eq!(shim.client().welcome().build, Some(Print::of(&own).unwrap()));
    for round in 0..8 {
        let program = if round % 2 == 0 { &another } else { &own };
        let renewed = renew(&shim, program).await.unwrap();
        assert_eq!(renewed.build, Some(Print::of(program).unwrap()));
        assert_eq!(fs::read_link(format!("/proc/{pid}/exe")).unwrap(), *program, "the same process, another program");
        println!("{mode:?}: nobody kept the game for {} us", renewed.took_us);
    }
    assert_eq!(shim.game().await, game);
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(descriptors < 32, "{descriptors} descriptors: some are left over");
    command(&shim, "enough", "k").await;
    let ended = shim.until_exited().await;
    assert_eq!((ended.exit, ended.asked, ended.killed), (Exit::Code { code: 7 }, false, false));
    let (all, connections) = follower.await.unwrap();
    assert!(connections > 2, "it was followed across images: {connections}");
    assert_eq!(all.first().unwrap().n, 1);
    assert_consecutive(&all);
    let counted: Vec<_> = all.iter().filter(|line| line.k == LineKind::Out && !line.s.is_empty()).collect();
    assert!(counted.len() > 1_000, "{}", counted.len());
    for (n, line) in counted.iter().take(counted.len() - 1).enumerate() {
        assert_eq!(line.s, format!("n{n:0>20} is {n}"), "line {}", line.n);
    }
    shim.client().ack_exit().await.unwrap();
    shim.gone().await;
}

#[tokio::test]
async fn images_follow_each_other_while_the_game_writes_and_no_line_is_lost_or_doubled() {
    no_line_is_lost(ConsoleMode::Pipe).await;
}

#[tokio::test]
async fn it_is_the_same_with_a_terminal() {
    no_line_is_lost(ConsoleMode::Pty).await;
}

#[tokio::test]
async fn what_was_known_is_known_afterwards() {
    let place = Place::game(&["echo"]).with(|spec| {
        spec.ready = Ready::Line { pattern: "^got go$".to_owned() };
    });
    let mut shim = place.start().await;
    shim.until(|state| matches!(state, ShimState::Starting { run: Some(_) })).await;
    let typed = command(&shim, "first", "key").await;
    shim.until_line("got first").await;
    renew(&shim, &another_build(&place)).await.unwrap();
    assert_eq!(command(&shim, "first", "key").await, typed, "a repetition types nothing");
    assert!(matches!(shim.client().state().await.unwrap().state, ShimState::Starting { run: Some(_) }));
    command(&shim, "go", "key-2").await;
    shim.until(|state| matches!(state, ShimState::Running { sign_seen: true, .. })).await;
    let all = shim.all().await;
    assert_eq!(lines(&all).iter().filter(|line| line.s == "got first").count(), 1);

    // It is still the only one, and found as such.
    assert!(place::is_alive(&shim.spec.state_dir).unwrap());
    let second = place.spawn().wait_with_output().unwrap();
    assert!(!second.status.success());
    // Killed right after another renewal it takes its game with it, as ever.
    let game = shim.game().await;
    renew(&shim, Path::new(PROGRAM)).await.unwrap();
    shim.kill_shim();
    wait_for("the game to go with its shim", || !is_running(game)).await;
    assert!(!place::is_alive(&shim.spec.state_dir).unwrap());
    assert_eq!(place::read_exit(&shim.spec.state_dir).unwrap(), None);
}

#[tokio::test]
async fn a_game_that_ends_meanwhile_is_collected_with_its_true_end() {
    for _ in 0..6 {
        let place = Place::script("read line; exit 9");
        let shim = place.start().await;
        shim.game().await;
        let another = another_build(&place);
        let typed = command(&shim, "end", "k");
        let (renewed, _) = tokio::join!(renew(&shim, &another), typed);
        if let Err(error) = renewed {
            assert!(matches!(&error, ClientError::Refused(refusal) if refusal.code == RefusalCode::NotNow), "{error}");
        }
        assert_eq!(shim.until_exited().await.exit, Exit::Code { code: 9 });
    }
}

#[tokio::test]
async fn a_build_that_cannot_go_on_costs_nothing() {
    let place = Place::game(&["echo"]);
    let shim = place.start().await;
    let game = shim.game().await;
    // Does not know how, says so and is gone, says nothing and hangs is another matter, is no program.
    let builds = [
        script(&place, "old", "echo 'unknown arguments' >&2; exit 2"),
        script(&place, "silent", "exit 0"),
        script(&place, "vanishing", "rm -- \"$0\"; echo can go on"),
        script(&place, "foreign", "echo can go on? no"),
    ];
    for build in &builds {
        let error = renew(&shim, build).await.unwrap_err();
        assert!(matches!(&error, ClientError::Refused(refusal) if refusal.code == RefusalCode::Unfit), "{error:?}");
    }
    let wrong = Print { size: 1, modified_s: 1, modified_ns: 1 };
    let error = shim.client().renew(Path::new(PROGRAM), wrong).await.unwrap_err();
    assert!(error.to_string().contains("another program is in its place"), "{error}");
    assert_eq!(shim.game().await, game);
    command(&shim, "still here", "k").await;
    shim.until_line("got still here").await;
    // SIGTERM is let in again.
    let pid = i32::try_from(shim.process.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(shim.until_exited().await.asked);
}
