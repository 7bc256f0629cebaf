//! The pictures, drawn from views, without a style or script of their own; all pure. Sums over time are charts: a table of
//! numbers, which uPlot draws. Two pictures stay our own, because uPlot has no form for them: the timeline, whose bars are
//! rows without an axis of values and links that the keyboard reaches, and the plan, boxes in boxes, which
//! `assets/graph.js` draws.

pub mod times;
pub mod charts;
