//! The pictures: SVG drawn from views, without a style or script of its own. All pure.

pub mod times;
pub mod curves;
pub mod columns;
