//! Owns the glance: a board with its long lists cut to what is shown of them, so that a run of any length can be looked
//! at without reading it back. Never shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::board::Board;
use super::words;
use crate::model::ids::AttemptId;

/// How many rows of a list are kept: no less than any face of the board shows.
pub const ROWS: usize = 64;

/// Holds a board, short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Glance {
    /// The board, of whose lists some rows may be left out.
    pub board: Board,
    /// How many of which.
    pub cut: Cut,
}

/// Counts the rows that a board lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Scopes, the last ones.
    pub scopes: usize,
    /// Landed tasks, the first ones.
    pub landed: usize,
    /// Tasks that are left over, the last ones.
    pub left: usize,
    /// Places that are left over, the last ones.
    pub places: usize,
}

impl Glance {
    /// Cuts a board.
    pub fn of(mut board: Board) -> Self {
        let landed = board.landed.len().saturating_sub(ROWS);
        board.landed.drain(..landed);
        // What the next command is about is named by the first row of its sort, wherever that stands.
        let first = |is: fn(&super::board::LeftRow) -> bool| board.left.iter().position(is);
        let named = [first(|row| row.has_candidate), first(|row| row.can_be_retried())];
        let mut at = 0;
        let left = board.left.len();
        board.left.retain(|_| {
            at += 1;
            at <= ROWS || named.contains(&Some(at - 1))
        });
        let cut = Cut {
            scopes: shorten(&mut board.scopes),
            landed,
            left: left - board.left.len(),
            places: shorten(&mut board.places),
        };
        Self { board, cut }
    }

    /// Brings the board of a run that nobody coordinates, and in which nothing has happened since, to a later time.
    pub fn later(&mut self, now_ms: i64, last_lines: &BTreeMap<AttemptId, String>) {
        let since_ms = words::between_ms(self.board.now_ms, now_ms);
        self.board.now_ms = now_ms;
        self.board.limits.retain(|row| row.until_ms > now_ms);
        for row in &mut self.board.running {
            row.elapsed_ms += since_ms;
            row.last_line = last_lines.get(&row.attempt).cloned();
        }
    }
}

fn shorten<T>(rows: &mut Vec<T>) -> usize {
    let over = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    over
}
