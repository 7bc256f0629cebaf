//! Owns the verb `artel schema`: prints the JSON schemas of the files that artel reads. Never makes one.

use clap::Args;

use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::seam;
use crate::model::inert::inert;

/// Prints JSON schemas.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Print only this one [default: all, by name]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print only the names
    #[arg(long, conflicts_with = "name")]
    names: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such schema.
pub fn schema(out: &Out, args: &SchemaArgs) -> Result<Exit, Fail> {
    let all = seam::schemas()?;
    if args.names {
        out.lines(all.keys().map(|name| inert(name)))?;
        return Ok(Exit::Done);
    }
    let Some(name) = &args.name else {
        out.json(&all)?;
        return Ok(Exit::Done);
    };
    let Some(schema) = all.get(name) else {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        return Err(Fail::new(Exit::Usage, format!("print the schema `{name}`"))
            .because("there is no such schema")
            .hint(format!("there are {}", names.join(", "))));
    };
    out.json(schema)?;
    Ok(Exit::Done)
}
