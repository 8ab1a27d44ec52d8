//! A build whose API servers end at once, installed as a good one would be: the last good build comes back by itself.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use nodepanel_types::component::{ComponentState, Role};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    error::DrillError,
    scene::{PATIENCE, Scene},
};

/// How often the first crash is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// Installs it with `nodepanel upgrade`; times from its first crash until every API server is ready again.
pub async fn once(scene: &Scene) -> Result<Vec<Duration>, DrillError> {
    let directory = scene.own_data_dir()?.join("drill");
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| DrillError::File { path, source }
    };
    fs::create_dir_all(&directory).map_err(at(&directory))?;
    let (build, crashed) = (directory.join("bad-build"), directory.join("crashed"));
    let _ = fs::remove_file(&crashed);
    // It passes every examination, and crashes when it is to work.
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *\"role api\"*) : >> '{}'; exit 70;; esac\nexec '{}' \"$@\"\n",
        crashed.display(),
        scene.binary()?.display()
    );
    fs::write(&build, text).map_err(at(&build))?;
    fs::set_permissions(&build, fs::Permissions::from_mode(0o755)).map_err(at(&build))?;
    scene.settled().await?;

    let mut upgrade = scene.command(&["upgrade".as_ref(), build.as_os_str()])?;
    let waited = Instant::now();
    while !crashed.exists() {
        if waited.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: "the bad build to be tried".to_owned(), waited: PATIENCE });
        }
        sleep(LOOK).await;
    }
    let begun = Instant::now();
    let took = scene
        .until("every API server to be ready with the last good build", |components| {
            let mut servers = components.iter().filter(|component| component.role == Role::Api);
            let back = servers.all(|server| server.state == ComponentState::Ready);
            back.then(|| begun.elapsed())
        })
        .await?;
    let status = match timeout(PATIENCE, upgrade.wait()).await {
        Ok(Ok(status)) => status,
        Ok(Err(source)) => return Err(DrillError::File { path: build, source }),
        Err(_) => {
            return Err(DrillError::Late { what: "the end of `nodepanel upgrade`".to_owned(), waited: PATIENCE });
        }
    };
    if status.success() {
        let answer = "it says that the bad build has proven itself".to_owned();
        return Err(DrillError::Answer { what: "nodepanel upgrade".to_owned(), answer });
    }
    scene.settled().await?;
    Ok(vec![took])
}
