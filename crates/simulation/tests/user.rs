//! Users: they ask, repeat with the same key when the answer is missing, and believe what they are told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use nodepanel_control::{Context, ControlError, IdempotencyKey};
use nodepanel_types::{
    ServerId,
    api::{Command, CreateServer, ServerView, UpdateServer},
    clock::IdSource as _,
    problem::ProblemCode,
    state::PowerAction,
};

use crate::world::{Plane, World};

/// How long a user waits for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a request is sent at most.
const TRIES: usize = 15;
/// Servers that exist at a time.
const SERVERS: usize = 5;

/// What a user asks for.
#[derive(Debug, Clone)]
pub enum Wish {
    Create,
    Power(ServerId, PowerAction),
    Rename(ServerId),
    Delete(ServerId),
    /// A line for its console, which is written down nowhere but there.
    Type(ServerId),
}

impl Wish {
    fn server(&self) -> Option<ServerId> {
        match self {
            Self::Create => None,
            Self::Power(id, _) | Self::Rename(id) | Self::Delete(id) | Self::Type(id) => Some(*id),
        }
    }
}

/// What came of it, as far as the user knows.
#[derive(Debug, Clone)]
pub enum Told {
    /// It is done.
    Done { server: ServerId, generation: u64 },
    /// The line was typed.
    Typed,
    /// It is not done, nor will it be, although an earlier try may still be on its way.
    Refused(ProblemCode),
    /// Nobody answered.
    Nothing,
}

/// A request under one key.
#[derive(Debug, Clone)]
pub struct Deed {
    pub key: String,
    pub wish: Wish,
    pub told: Told,
}

/// What one try comes to.
enum Try {
    Answered(Box<ServerView>),
    Typed,
    Refused(ProblemCode),
    Again,
}

/// Acts until the time is over.
pub async fn act(world: Arc<World>, until: tokio::time::Instant) {
    while tokio::time::Instant::now() < until {
        world.chance.pause(20, 600).await;
        let wish = choose(&world);
        let key = world.chance.uuid().to_string();
        // Entered before it is sent: whatever comes of it, it was asked for.
        let place = {
            let mut deeds = world.deeds.lock().unwrap();
            deeds.push(Deed { key: key.clone(), wish: wish.clone(), told: Told::Nothing });
            deeds.len() - 1
        };
        let told = ask(&world, &wish, &key).await;
        match &told {
            Told::Done { server, generation } => {
                world.teller.tell("acknowledged", format_args!("{wish:?} as {key}: {server} at {generation}"));
                if matches!(wish, Wish::Create) {
                    world.known.lock().unwrap().push(*server);
                }
            }
            Told::Typed => world.teller.tell("typed", format_args!("{wish:?} as {key}")),
            Told::Refused(code) => world.teller.tell("refused", format_args!("{wish:?}: {}", code.as_str())),
            Told::Nothing => world.teller.tell("unanswered", format_args!("{wish:?} as {key}")),
        }
        world.deeds.lock().unwrap()[place].told = told.clone();
        if let Told::Done { server, generation } = told {
            read_back(&world, server, generation).await;
        }
    }
}

fn choose(world: &World) -> Wish {
    let mut known = world.known.lock().unwrap();
    if known.len() < 2 || (known.len() < SERVERS && world.chance.once_in(4)) {
        return Wish::Create;
    }
    let place = world.chance.below(known.len());
    let server = known[place];
    match world.chance.below(24) {
        0 => {
            known.remove(place);
            Wish::Delete(server)
        }
        1..=3 => Wish::Rename(server),
        4..=11 => Wish::Power(server, PowerAction::Start),
        12..=14 => Wish::Power(server, PowerAction::Restart),
        15..=17 => Wish::Power(server, PowerAction::Stop),
        18..=19 => Wish::Power(server, PowerAction::Kill),
        _ => Wish::Type(server),
    }
}

/// Asks until there is an answer, each time whichever API server is there.
async fn ask(world: &Arc<World>, wish: &Wish, key: &str) -> Told {
    let mut context = world.context();
    let mut fingerprint = [0; 32];
    world.chance.fill(&mut fingerprint);
    context.key = Some(IdempotencyKey { key: key.to_owned(), fingerprint });
    for tries in 1..=TRIES {
        if tries > 1 {
            world.teller.tell("repeated", format_args!("{key}, try {tries}"));
            world.chance.pause(30, 400).await;
        }
        let Some(plane) = world.plane(world.chance.below(world.planes())) else { continue };
        match send(world, &plane, &context, wish).await {
            Try::Answered(view) => return Told::Done { server: view.id, generation: view.generation },
            Try::Typed => return Told::Typed,
            Try::Refused(code) => return Told::Refused(code),
            Try::Again => {}
        }
    }
    Told::Nothing
}

async fn send(world: &Arc<World>, plane: &Arc<Plane>, context: &Context, wish: &Wish) -> Try {
    // A task of its own: a process that froze goes on with a request although nobody waits for the answer any more.
    let exchange = tokio::spawn({
        let (world, plane, context, wish) = (Arc::clone(world), Arc::clone(plane), context.clone(), wish.clone());
        async move {
            plane.life.pass().await;
            plane.control.catch_up().await;
            let outcome = carry_out(&world, &plane, &context, &wish).await;
            plane.life.pass().await;
            outcome
        }
    });
    let outcome = tokio::select! {
        biased;
        () = plane.life.end() => return Try::Again,
        outcome = tokio::time::timeout(PATIENCE, exchange) => outcome,
    };
    match outcome {
        Err(_) => Try::Again,
        Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
        Ok(Ok(Ok(Some(view)))) => Try::Answered(Box::new(view)),
        Ok(Ok(Ok(None))) => Try::Typed,
        Ok(Ok(Err(error))) => judge(world, wish, &error),
    }
}

/// The server's view after it; none when a line was typed.
async fn carry_out(
    world: &World,
    plane: &Plane,
    context: &Context,
    wish: &Wish,
) -> Result<Option<ServerView>, ControlError> {
    let control = &plane.control;
    let view = match wish {
        Wish::Create => {
            let variables = BTreeMap::from([("COMMAND".to_owned(), "true".to_owned())]);
            let body = CreateServer {
                name: "simulated".to_owned(),
                template: world.template,
                node: None,
                owner: None,
                variables,
                limits: None,
                ports: BTreeMap::new(),
                address: None,
                start: true,
            };
            control.create_server(context, body).await
        }
        Wish::Power(id, action) => control.power(context, *id, *action).await,
        Wish::Rename(id) => {
            let name = Some(format!("named {}", context.request));
            control.update_server(context, *id, UpdateServer { name, ..UpdateServer::default() }).await
        }
        Wish::Delete(id) => control.delete_server(context, *id).await,
        Wish::Type(id) => {
            let line = Command { line: "say hello".to_owned() };
            return control.command(context, *id, line).await.map(|_| None);
        }
    };
    view.map(Some)
}

/// "I cannot ask" is never answered as "you may not".
fn judge(world: &World, wish: &Wish, error: &ControlError) -> Try {
    let code = error.code();
    match code {
        _ if code.status() >= 500 => {
            assert_ne!(code, ProblemCode::Internal, "{wish:?}: {error}");
            Try::Again
        }
        // The node's own word: nobody reads what is typed, or it is not known whether somebody did.
        ProblemCode::NodeRefused if matches!(wish, Wish::Type(_)) => Try::Refused(code),
        ProblemCode::Changed | ProblemCode::StateForbids => Try::Refused(code),
        ProblemCode::NotFound => {
            let deeds = world.deeds.lock().unwrap();
            let deleted = deeds.iter().any(|deed| matches!(deed.wish, Wish::Delete(id) if Some(id) == wish.server()));
            assert!(deleted, "{wish:?} was answered with: {error}");
            // Who repeats a deletion that was made gets the first answer, not that there is nothing to delete.
            assert!(!matches!(wish, Wish::Delete(_)), "a deletion that was repeated: {error}");
            Try::Refused(code)
        }
        _ => panic!("{wish:?} was answered with {}: {error}", code.as_str()),
    }
}

/// What was acknowledged is in every answer from then on, of whichever API server, unless that one knows that it cannot
/// know.
async fn read_back(world: &World, server: ServerId, generation: u64) {
    let Some(plane) = world.plane(world.chance.below(world.planes())) else { return };
    let read = async {
        plane.life.pass().await;
        plane.control.catch_up().await;
        plane.life.pass().await;
        (plane.control.server(&world.context(), server), plane.control.is_behind())
    };
    let (read, behind) = tokio::select! {
        biased;
        () = plane.life.end() => return,
        read = read => read,
    };
    match read {
        Ok(view) if behind => {
            world.teller.tell("read late", format_args!("{server} at {}, not {generation}", view.generation));
        }
        Ok(view) => {
            let read = view.generation;
            assert!(read >= generation, "{server} was read at {read}, not {generation}");
        }
        Err(error) if error.code().status() >= 500 => assert!(behind, "{error}"),
        Err(error) => {
            let deeds = world.deeds.lock().unwrap();
            let deleted = deeds.iter().any(|deed| matches!(deed.wish, Wish::Delete(id) if id == server));
            assert!(deleted, "{server} was made, and then: {error}");
        }
    }
}
