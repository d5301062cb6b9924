//! The plot: curves of what was measured, as an SVG.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::PathElement,
    prelude::{IntoLogRange, SVGBackend},
    series::LineSeries,
    style::{BLACK, Color, Palette, Palette99, WHITE},
};

use super::measured::Measured;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 420;

/// Some curves over one axis.
struct Panel {
    title: &'static str,
    x: &'static str,
    y: &'static str,
    curves: Vec<Curve>,
}

struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws whatever of the curves there are numbers for, one below the other. False if there is none.
pub(super) fn draw(file: &Path, rows: &[Measured]) -> anyhow::Result<bool> {
    let panels: Vec<Panel> = [by_connections(rows), by_size(rows), waits(rows)].into_iter().collect();
    let panels: Vec<Panel> = panels.into_iter().filter(|panel| !panel.curves.is_empty()).collect();
    if panels.is_empty() {
        return Ok(false);
    }
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT * panels.len() as u32)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
        for (part, panel) in area.split_evenly((panels.len(), 1)).iter().zip(&panels) {
            panel.draw(part).map_err(|error| anyhow!("{error}"))?;
        }
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    std::fs::write(file, text)?;
    Ok(true)
}

/// How the rate grows with the connections, from memory and from the pool.
fn by_connections(rows: &[Measured]) -> Panel {
    let of = |name: &str, is_ceiling: bool| {
        let rows = rows.iter().filter(|row| row.case == "reserve");
        let rows = rows.filter(|row| match is_ceiling {
            true => row.row.starts_with("from memory"),
            false => row.against.as_deref().is_some_and(|against| against.starts_with("from memory")),
        });
        curve(name, rows.filter_map(|row| Some((row.connections? as f64, row.rate()?))))
    };
    let curves = [of("an answer from memory", true), of("reserveOne", false)];
    Panel { title: "Answers a second", x: "connections", y: "a second", curves: curves.into_iter().flatten().collect() }
}

/// How the rate depends on the size of the pool.
fn by_size(rows: &[Measured]) -> Panel {
    let size = |row: &Measured| {
        let (number, unit) = row.row.split_once(' ')?;
        let unit = match unit {
            "thousand" => 1e3,
            _ => 1e6,
        };
        Some((number.parse::<f64>().ok()? * unit, row.rate()?))
    };
    let curves = curve("reserveOne", rows.iter().filter(|row| row.case == "size").filter_map(size));
    Panel {
        title: "reserveOne, by the size of the pool",
        x: "passports in the pool",
        y: "a second",
        curves: curves.into_iter().collect(),
    }
}

/// How long the unlucky wait.
fn waits(rows: &[Measured]) -> Panel {
    let of = |row: &Measured| {
        let waits = row.waits();
        let millis = |one_in: f64| Some((one_in, waits.percentile(100.0 - 100.0 / one_in)?.as_secs_f64() * 1e3));
        let steps = (0..=34).map(|step| 10_f64.powf(f64::from(step) / 8.0));
        let told = steps.take_while(|one_in| *one_in * 10.0 <= waits.count() as f64);
        curve(&row.row, told.filter_map(millis))
    };
    let reserved = rows.iter().filter(|row| row.case == "reserve" && !row.row.starts_with("from memory"));
    Panel {
        title: "reserveOne: how long one of so many waits",
        x: "one of",
        y: "ms",
        curves: reserved.filter_map(of).collect(),
    }
}

/// None if it would be no line.
fn curve(name: &str, points: impl Iterator<Item = (f64, f64)>) -> Option<Curve> {
    let points: Vec<_> = points.collect();
    (points.len() > 1).then(|| Curve { name: name.to_owned(), points })
}

impl Panel {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<std::io::Error>> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let widest = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let narrowest = points().map(|(x, _)| *x).fold(widest, f64::min);
        let highest = points().map(|(_, y)| *y).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .margin_right(32)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((narrowest..widest).log_scale(), 0.0..highest * 1.1)?;
        let whole = |number: &f64| if *number < 10.0 { format!("{number:.1}") } else { format!("{number:.0}") };
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&whole)
            .y_label_formatter(&whole)
            .draw()?;
        for (number, curve) in self.curves.iter().enumerate() {
            let style = Palette99::pick(number).stroke_width(2);
            chart
                .draw_series(LineSeries::new(curve.points.iter().copied(), style))?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        }
        let mut labels = chart.configure_series_labels();
        labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3));
        labels.draw()
    }
}
