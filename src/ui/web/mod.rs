//! The web: one process that hosts a machine's runs, an interface for programs, and pages for people. Reads folds of the
//! journal and stores requests; never decides.

pub mod refused;
pub mod site;
pub mod extract;
pub mod patient;
pub mod listen;
pub mod limits;
pub mod guard;
pub mod routes;
pub mod openapi;
pub mod reads;
pub mod past;
pub mod transcripts;
pub mod events;
pub mod writes;
pub mod once;
pub mod machine;
pub mod metrics;
pub mod login;
pub mod assets;
pub mod pages;
pub mod pictures;
