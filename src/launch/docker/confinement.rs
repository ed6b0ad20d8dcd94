//! Whether a container that was started is confined as it was asked to be.
//!
//! An engine drops what its kernel or its configuration does not offer, some with a warning and some without. A lane
//! that runs with fewer walls than its rows would claim is refused.

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};

use super::create::SCRATCH_DIR_INSIDE;
use crate::launch::Error;

/// Compares what the engine says about the container with the request that created it.
pub(super) fn check(lane: &str, asked: &ContainerCreateBody, found: &ContainerInspectResponse) -> Result<(), Error> {
    let user = |config: Option<&Option<String>>| config.cloned().flatten().unwrap_or_default();
    let of_request = walls(
        user(Some(&asked.user)),
        &asked.host_config.clone().unwrap_or_default(),
        // The request's only writable mount is the scratch folder.
        vec![SCRATCH_DIR_INSIDE.to_owned()],
    );
    let of_container = walls(
        user(found.config.as_ref().map(|config| &config.user)),
        &found.host_config.clone().unwrap_or_default(),
        writable(found),
    );
    for ((which, asked), (_, found)) in of_request.into_iter().zip(of_container) {
        if asked != found {
            return Err(Error::Unconfined { lane: lane.to_owned(), which, asked, found });
        }
    }
    Ok(())
}

/// Each wall by the engine's name for it, as a text in one spelling.
fn walls(user: String, host: &HostConfig, writable: Vec<String>) -> [(&'static str, String); 13] {
    let flag = |value: Option<bool>| (value == Some(true)).to_string();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<i64>| value.filter(|value| *value > 0).map_or("none".to_owned(), |n| n.to_string());
    [
        ("User", user),
        ("NetworkMode", text(&host.network_mode)),
        ("IpcMode", text(&host.ipc_mode)),
        ("ReadonlyRootfs", flag(host.readonly_rootfs)),
        ("Privileged", flag(host.privileged)),
        ("CapDrop", capabilities(host.cap_drop.as_deref())),
        ("CapAdd", capabilities(host.cap_add.as_deref())),
        ("SecurityOpt no-new-privileges", no_new_privileges(host).to_string()),
        ("Init", flag(host.init)),
        ("PidsLimit", number(host.pids_limit)),
        ("Memory", number(host.memory)),
        ("NanoCpus", number(host.nano_cpus)),
        ("the writable mounts", sorted(writable)),
    ]
}

/// Written `no-new-privileges`, `no-new-privileges:true` or `no-new-privileges=true`.
pub(super) fn no_new_privileges(host: &HostConfig) -> bool {
    host.security_opt.iter().flatten().any(|option| {
        option.strip_prefix("no-new-privileges").is_some_and(|rest| matches!(rest, "" | ":true" | "=true"))
    })
}

/// An engine may add `CAP_` to a name.
fn capabilities(names: Option<&[String]>) -> String {
    let plain = |name: &String| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    sorted(names.unwrap_or_default().iter().map(plain).collect())
}

/// Where the container can write: mounts that are not read-only (a volume that the image declares is one), and
/// file systems in memory.
fn writable(found: &ContainerInspectResponse) -> Vec<String> {
    let mounts = found.mounts.iter().flatten().filter(|mount| mount.rw == Some(true));
    let mut places: Vec<String> = mounts.filter_map(|mount| mount.destination.clone()).collect();
    places.extend(
        found.host_config.iter().filter_map(|host| host.tmpfs.as_ref()).flatten().map(|(place, _)| place.clone()),
    );
    places.sort();
    places.dedup();
    places
}

fn sorted(mut names: Vec<String>) -> String {
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, MountPoint};

    use super::*;
    use crate::launch::docker::{ModelMount, create_body};
    use crate::launch::supervisor::{Marker, Supervisor};
    use crate::plan::{Lane, Launcher};

    fn asked() -> ContainerCreateBody {
        let text = "schema = 1\nname = \"walls\"\nlauncher = \"docker\"\nrunner = \"test\"\n[docker]\nimage = \"self\"";
        let lane = Lane::parse("lanes/walls.toml", text).unwrap();
        let Launcher::Docker(docker) = &lane.launcher else { panic!("no container lane") };
        let supervisor = Supervisor::current().unwrap();
        let marker = Marker { run: "walls".into(), lane: lane.name.clone(), launch: 1, supervisor };
        let model = ModelMount { source: "/srv/model".into(), target: "/model".into() };
        create_body(&lane, docker, "sha256:00ff", &[model], &marker)
    }

    /// What an engine says that does all it was asked.
    fn obedient(asked: &ContainerCreateBody) -> ContainerInspectResponse {
        ContainerInspectResponse {
            config: Some(ContainerConfig { user: asked.user.clone(), ..ContainerConfig::default() }),
            host_config: asked.host_config.clone(),
            mounts: Some(vec![mount("/model", false)]),
            ..ContainerInspectResponse::default()
        }
    }

    fn mount(destination: &str, rw: bool) -> MountPoint {
        MountPoint { destination: Some(destination.into()), rw: Some(rw), ..MountPoint::default() }
    }

    #[test]
    fn what_was_asked_is_accepted_in_other_spellings_too() {
        let asked = asked();
        let mut found = obedient(&asked);
        check("walls", &asked, &found).unwrap();
        let host = found.host_config.as_mut().unwrap();
        host.cap_drop = Some(vec!["CAP_ALL".into()]);
        host.cap_add = Some(Vec::new());
        host.security_opt = Some(vec!["no-new-privileges:true".into()]);
        check("walls", &asked, &found).unwrap();
    }

    #[test]
    fn each_wall_that_is_missing_is_refused_by_name() {
        let asked = asked();
        let refused = |change: &dyn Fn(&mut HostConfig)| {
            let mut found = obedient(&asked);
            change(found.host_config.as_mut().unwrap());
            match check("walls", &asked, &found) {
                Err(error @ Error::Unconfined { which, .. }) => {
                    assert!(error.is_refusal());
                    which
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(&|host| host.network_mode = Some("bridge".into())), "NetworkMode");
        assert_eq!(refused(&|host| host.ipc_mode = Some("private".into())), "IpcMode");
        assert_eq!(refused(&|host| host.readonly_rootfs = None), "ReadonlyRootfs");
        assert_eq!(refused(&|host| host.privileged = Some(true)), "Privileged");
        assert_eq!(refused(&|host| host.cap_drop = None), "CapDrop");
        assert_eq!(refused(&|host| host.cap_add = Some(vec!["SYS_ADMIN".into()])), "CapAdd");
        assert_eq!(refused(&|host| host.security_opt = None), "SecurityOpt no-new-privileges");
        assert_eq!(refused(&|host| host.init = Some(false)), "Init");
        assert_eq!(refused(&|host| host.pids_limit = Some(0)), "PidsLimit");
        assert_eq!(refused(&|host| host.memory = Some(1)), "Memory");
        assert_eq!(refused(&|host| host.nano_cpus = None), "NanoCpus");
        assert_eq!(refused(&|host| host.tmpfs = None), "the writable mounts");
    }

    #[test]
    fn another_user_or_a_volume_of_the_image_is_refused() {
        let asked = asked();
        let mut root = obedient(&asked);
        root.config = None;
        assert!(matches!(check("walls", &asked, &root), Err(Error::Unconfined { which: "User", .. })));
        let mut volume = obedient(&asked);
        volume.mounts.as_mut().unwrap().push(mount("/data", true));
        let error = check("walls", &asked, &volume).unwrap_err();
        assert!(error.to_string().contains("is /data /scratch, and /scratch was asked"), "{error}");
    }
}
