//! `date_trunc` without a calendar walk for each row, where the zone is UTC.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// DataFusion's `date_trunc`, which takes times of any zone through a calendar, row by row, but those without one by
/// arithmetic. Times in UTC are truncated like those.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct UtcDateTrunc {
    inner: Arc<ScalarUDF>,
}

impl Default for UtcDateTrunc {
    fn default() -> Self {
        Self { inner: date_trunc() }
    }
}

fn is_utc(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC")
}

/// The same instants, said to be in another zone or none.
fn in_zone(times: &ArrayRef, zone: Option<&str>) -> ArrayRef {
    let times = times.as_primitive::<TimestampMicrosecondType>().clone();
    Arc::new(times.with_timezone_opt(zone))
}

impl ScalarUDFImpl for UtcDateTrunc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(input)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let times = match args.args.get(1) {
            Some(ColumnarValue::Array(times)) if is_utc(times.data_type()) => in_zone(times, None),
            _ => return self.inner.invoke_with_args(args),
        };
        let zoneless = |field: &FieldRef| -> FieldRef {
            Arc::new(Field::new(field.name(), DataType::Timestamp(TimeUnit::Microsecond, None), field.is_nullable()))
        };
        args.arg_fields[1] = zoneless(&args.arg_fields[1]);
        args.return_field = zoneless(&args.return_field);
        args.args[1] = ColumnarValue::Array(times);
        let rows = args.number_rows;
        let truncated = self.inner.invoke_with_args(args)?.into_array(rows)?;
        Ok(ColumnarValue::Array(in_zone(&truncated, Some("UTC"))))
    }
}
