//! The laws, one file a rule: each says what a command makes happen, or refuses it.

pub mod open;
pub mod plan;
pub mod advance;
pub mod attempt;
pub mod money;
pub mod limit;
pub mod seat;
pub mod review;
pub mod transcript;
pub mod verdict;
pub mod landing;
pub mod request;
pub mod asked;
pub mod word;
pub mod edit;
pub mod send_back;
pub mod space;
