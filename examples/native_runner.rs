//! The native runner on its own: speaks the wire over standard input and output, as `lockstep runner` does.

use std::process::ExitCode;

use lockstep::runner::{Farewell, NativeBackend, serve, take_stdout};

pub fn main() -> ExitCode {
    let served =
        take_stdout().map(|wire| serve(std::io::stdin(), wire, NativeBackend::default(), || std::process::exit(3)));
    match served {
        Ok(Ok(Farewell::Bye)) => ExitCode::SUCCESS,
        Ok(Ok(Farewell::Orphaned)) => ExitCode::from(3),
        Ok(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot keep standard output for the wire: {error}");
            ExitCode::FAILURE
        }
    }
}
