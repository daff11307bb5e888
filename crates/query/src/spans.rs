//! Intervals compared and sorted as PostgreSQL does it: by their length, a month of 30 days, a day of 24 hours.
//!
//! The query engine compares months, days and nanoseconds one after the other, so that `interval '159 days'` as the
//! difference of two timestamps (which has nanoseconds only) would be less than `interval '90 days'`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, TimeUnit,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

const NANOS_A_DAY: i128 = 24 * 3_600 * 1_000_000_000;
const NANOS_A_MONTH: i128 = 30 * NANOS_A_DAY;
/// Nanoseconds of the longest interval have 25 digits.
const DIGITS: u8 = 38;

static LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Length { signature: Signature::any(1, Volatility::Immutable) }))
});

/// Puts lengths in the place of intervals where they are compared. Types agree already when it runs.
#[derive(Debug)]
pub(crate) struct ByLength;

impl AnalyzerRule for ByLength {
    fn name(&self) -> &str {
        "intervals_by_length"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewritten)?.data)
    }
}

fn rewritten(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let mut plan = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let compared = expr.transform_up(|expr| Ok(compared(expr, &schema)))?;
        Ok(compared.update_data(|expr| name.restore(expr)))
    })?;
    if let LogicalPlan::Sort(sort) = &mut plan.data {
        for key in sort.expr.iter_mut().filter(|key| is_interval(&key.expr, &schema)) {
            key.expr = length(std::mem::take(&mut key.expr), &schema);
            plan.transformed = true;
        }
    }
    Ok(plan)
}

/// The expression with lengths where it compares intervals.
fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let new = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) && is_interval(&left, schema) => {
            Expr::BinaryExpr(BinaryExpr {
                left: Box::new(length(*left, schema)),
                op,
                right: Box::new(length(*right, schema)),
            })
        }
        Expr::Between(Between { expr, negated, low, high }) if is_interval(&expr, schema) => {
            let [expr, low, high] = [expr, low, high].map(|side| Box::new(length(*side, schema)));
            Expr::Between(Between { expr, negated, low, high })
        }
        Expr::InList(InList { expr, list, negated }) if is_interval(&expr, schema) => {
            let list = list.into_iter().map(|one| length(one, schema)).collect();
            Expr::InList(InList { expr: Box::new(length(*expr, schema)), list, negated })
        }
        other => return Transformed::no(other),
    };
    Transformed::yes(new)
}

fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Interval(_)))
}

/// The length of an interval. A difference of timestamps is taken as it is, before it becomes an interval, which cannot hold
/// three centuries.
fn length(expr: Expr, schema: &DFSchema) -> Expr {
    let span = match expr {
        Expr::Cast(cast) if matches!(cast.expr.get_type(schema), Ok(DataType::Duration(_))) => *cast.expr,
        other => other,
    };
    LENGTH.call(vec![span])
}

/// Nanoseconds of an interval or a duration.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(DIGITS, 0))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[..] {
            [ColumnarValue::Array(values)] => Ok(ColumnarValue::Array(lengths(values)?)),
            [ColumnarValue::Scalar(value)] => {
                let length = lengths(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&length, 0)?))
            }
            _ => exec_err!("interval_length takes one value"),
        }
    }
}

fn lengths(values: &ArrayRef) -> Result<ArrayRef> {
    let lengths = match values.data_type() {
        DataType::Interval(IntervalUnit::YearMonth) => {
            each::<IntervalYearMonthType>(values, |months| i128::from(months) * NANOS_A_MONTH)
        }
        DataType::Interval(IntervalUnit::DayTime) => each::<IntervalDayTimeType>(values, |value| {
            i128::from(value.days) * NANOS_A_DAY + i128::from(value.milliseconds) * 1_000_000
        }),
        DataType::Interval(IntervalUnit::MonthDayNano) => each::<IntervalMonthDayNanoType>(values, |value| {
            i128::from(value.months) * NANOS_A_MONTH
                + i128::from(value.days) * NANOS_A_DAY
                + i128::from(value.nanoseconds)
        }),
        DataType::Duration(unit) => durations(values, *unit),
        other => return exec_err!("{other} has no length"),
    };
    Ok(Arc::new(lengths.with_precision_and_scale(DIGITS, 0)?))
}

fn durations(values: &ArrayRef, unit: TimeUnit) -> Decimal128Array {
    match unit {
        TimeUnit::Second => each::<DurationSecondType>(values, |value| i128::from(value) * 1_000_000_000),
        TimeUnit::Millisecond => each::<DurationMillisecondType>(values, |value| i128::from(value) * 1_000_000),
        TimeUnit::Microsecond => each::<DurationMicrosecondType>(values, |value| i128::from(value) * 1_000),
        TimeUnit::Nanosecond => each::<DurationNanosecondType>(values, i128::from),
    }
}

fn each<T: ArrowPrimitiveType>(values: &ArrayRef, nanos: impl Fn(T::Native) -> i128) -> Decimal128Array {
    values.as_primitive::<T>().unary::<_, Decimal128Type>(nanos)
}
