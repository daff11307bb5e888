//! Functions that clients call to learn about the service; in a ledger they have little to say.

use arrow::datatypes::{DataType, Field};
use datafusion::common::scalar::ScalarStructBuilder;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;

use crate::pg::preferences::{Preferences, SERVER_VERSION};

/// Makes them known to a session.
pub(crate) fn register(context: &SessionContext) {
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let none = ScalarValue::Utf8(None);
    let version = text(&format!("PostgreSQL {SERVER_VERSION}"));
    let whole = |name: &str| Field::new(name, DataType::Int32, true);
    let pair = ScalarStructBuilder::new_null(vec![whole("x"), whole("n")]);
    let constants = [
        ("version", version),
        ("pg_is_in_recovery", ScalarValue::Boolean(Some(false))),
        ("pg_is_wal_replay_paused", ScalarValue::Boolean(Some(false))),
        ("inet_server_addr", none.clone()),
        ("inet_server_port", ScalarValue::Int32(None)),
        ("inet_client_addr", none.clone()),
        ("_pg_expandarray", pair),
        ("txid_current", ScalarValue::Int64(Some(1))),
        ("pg_advisory_unlock_all", none.clone()),
        ("obj_description", none.clone()),
        ("col_description", none.clone()),
        ("shobj_description", none.clone()),
        ("pg_get_indexdef", none.clone()),
        ("pg_get_viewdef", none.clone()),
        ("pg_get_ruledef", none.clone()),
        ("pg_get_triggerdef", none.clone()),
        ("pg_get_functiondef", none.clone()),
        ("pg_get_function_result", none.clone()),
        ("pg_get_function_arguments", none.clone()),
        ("pg_get_function_identity_arguments", none.clone()),
        ("pg_get_serial_sequence", none.clone()),
        ("pg_get_statisticsobjdef", none.clone()),
        ("pg_tablespace_location", none.clone()),
        ("has_column_privilege", ScalarValue::Boolean(Some(true))),
        ("has_function_privilege", ScalarValue::Boolean(Some(true))),
        ("has_sequence_privilege", ScalarValue::Boolean(Some(true))),
        ("pg_has_role", ScalarValue::Boolean(Some(true))),
        ("pg_type_is_visible", ScalarValue::Boolean(Some(true))),
        ("pg_function_is_visible", ScalarValue::Boolean(Some(true))),
        ("pg_size_pretty", text("0 bytes")),
        ("pg_database_size", ScalarValue::Int64(Some(0))),
        ("pg_table_size", ScalarValue::Int64(Some(0))),
        ("pg_indexes_size", ScalarValue::Int64(Some(0))),
    ];
    for (name, value) in constants {
        context.register_udf(ScalarUDF::new_from_impl(Constant { name, value, signature: any() }));
    }
    context.register_udf(ScalarUDF::new_from_impl(Setting { name: "current_setting", place: 0, signature: any() }));
    context.register_udf(ScalarUDF::new_from_impl(Setting { name: "set_config", place: 1, signature: any() }));
}

/// `session_user` and its like for somebody.
pub(crate) fn session_user(name: &str) -> ScalarUDF {
    let value = ScalarValue::Utf8(Some(name.to_owned()));
    ScalarUDF::new_from_impl(Constant { name: "session_user", value, signature: any() })
}

fn any() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable)
}

/// A function with one answer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// A setting's first value, or the text at a place among the arguments: what `set_config` answers without setting it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Setting {
    name: &'static str,
    place: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Setting {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Scalar(argument)) = arguments.args.get(self.place) else {
            return exec_err!("{} takes texts", self.name);
        };
        let argument = argument.try_as_str().flatten().unwrap_or_default();
        let value = match self.place {
            0 => Preferences::default().get(argument).map(|(_, value)| value.to_owned()),
            _ => Some(argument.to_owned()),
        };
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(value)))
    }
}
