//! Functions of our own that stand in for what is no function: `||`, and the values that windows copy.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};

use crate::budget::Budget;
use crate::cause::Cause;
use crate::sizes::{longest, most_bytes};

/// Bytes of a text that a window may copy from row to row: it copies it to every row of the partition at once.
const WINDOW_TEXT_BYTES: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    /// `left || right`.
    Join,
    /// Its argument, if no value is too long for a window.
    Narrow,
}

/// One of them, under the name and with the type of the expression that it stands for.
#[derive(Debug)]
pub(crate) struct Joined {
    work: Work,
    name: String,
    returns: DataType,
    signature: Signature,
    budget: Budget,
}

impl Joined {
    /// `left || right`, measured before it is made.
    pub(crate) fn texts(left: Expr, right: Expr, name: String, returns: DataType, budget: &Budget) -> Expr {
        Self::call(Work::Join, vec![left, right], name, returns, budget)
    }

    /// An argument of a window function.
    pub(crate) fn narrow(expr: Expr, returns: DataType, budget: &Budget) -> Expr {
        let name = expr.schema_name().to_string();
        Self::call(Work::Narrow, vec![expr], name, returns, budget)
    }

    fn call(work: Work, args: Vec<Expr>, name: String, returns: DataType, budget: &Budget) -> Expr {
        let signature = Signature::any(args.len(), Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { work, name, returns, signature, budget: budget.clone() }).call(args)
    }
}

impl PartialEq for Joined {
    fn eq(&self, other: &Self) -> bool {
        (self.work, &self.name, &self.returns) == (other.work, &other.name, &other.returns)
    }
}

impl Eq for Joined {}

impl std::hash::Hash for Joined {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.work, &self.name, &self.returns).hash(state);
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        match self.work {
            Work::Join => "concat",
            Work::Narrow => "narrow",
        }
    }

    fn schema_name(&self, _args: &[Expr]) -> Result<String> {
        Ok(self.name.clone())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name.clone(), self.returns.clone(), true)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.work {
            Work::Join => {
                self.budget.take(most_bytes("concat", &call, call.number_rows), false)?;
                join(&call)
            }
            Work::Narrow => {
                let value = call
                    .args
                    .into_iter()
                    .next()
                    .unwrap_or(ColumnarValue::Array(arrow::array::new_empty_array(&self.returns)));
                if longest(&value) <= WINDOW_TEXT_BYTES {
                    return Ok(value);
                }
                let message = format!("memory limit reached: windows take texts of at most {WINDOW_TEXT_BYTES} bytes");
                self.budget.refuse(Cause::limit(message))
            }
        }
    }
}

/// The engine's own operator, over values that were computed already.
fn join(call: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let columns = ColumnarValue::values_to_arrays(&call.args)?;
    let fields: Vec<Field> = columns
        .iter()
        .zip(["l", "r"])
        .map(|(column, name)| Field::new(name, column.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let side = |name: &str, at: usize| Arc::new(Column::new(name, at)) as Arc<dyn PhysicalExpr>;
    let value = BinaryExpr::new(side("l", 0), Operator::StringConcat, side("r", 1)).evaluate(&batch)?;
    // Constants come as one row for however many there are.
    let constant = call.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    match value {
        ColumnarValue::Array(array) if constant => {
            Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?))
        }
        value => Ok(value),
    }
}
