//! Vectors computed with python-xxhash from the table in the module's page.

use std::sync::Arc;

use super::*;
use arrow_array::{
    BooleanArray, Date32Array, Decimal128Array, Int32Array, StringArray, TimestampMillisecondArray,
};

fn of(field: &str, column: impl Array + 'static) -> u128 {
    let mut sums = vec![0; column.len()];
    let column: ArrayRef = Arc::new(column);
    add_column(seed(field), &column, &mut sums).unwrap();
    sums[0]
}

#[test]
fn vectors_of_the_format() {
    let decimal = Decimal128Array::from(vec![35_000_000_000]).with_precision_and_scale(18, 2).unwrap();
    let instant = TimestampMillisecondArray::from(vec![1_769_854_272_000]).with_timezone("UTC");
    let long = "x".repeat(1000);
    for (found, expected) in [
        (of("Name", StringArray::from(vec!["Acmé"])), 0x8422_c3c1_a8e9_52a6_64c9_574f_5d31_155f_u128),
        (of("AnnualRevenue", decimal), 0xfab9_1381_2afc_c565_a115_0509_c582_3ca1),
        (of("IsDeleted", BooleanArray::from(vec![false])), 0x017c_c3f5_2ade_1a79_8bbe_8911_2815_9a82),
        (of("Birthdate__c", Date32Array::from(vec![20_484])), 0x4732_6263_2766_f833_0d9e_4f4c_8615_a22f),
        (of("SystemModstamp", instant), 0x58fc_12d7_ea06_5a22_9cbe_869a_3fe0_1c4f),
        (raw(seed("Amount"), &DataType::Decimal128(18, 2), "NaN"), 0xd3d8_4523_9ed6_f588_b083_9e9e_514d_bc62),
        (
            of("Description", StringArray::from(vec![long.as_str()])),
            0xac23_0c74_7032_7dae_3b62_5c60_63d8_ee4f,
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_number_hashes_alike_in_every_type() {
    let decimal = Decimal128Array::from(vec![1200]).with_precision_and_scale(18, 2).unwrap();
    let expected = of("X", decimal);
    assert_eq!(of("X", Int32Array::from(vec![12])), expected);
    assert_eq!(raw(seed("X"), &DataType::Int32, "1.2E1"), expected);
    assert_ne!(raw(seed("X"), &DataType::Utf8, "12"), expected);
}

#[test]
fn nulls_change_nothing() {
    assert_eq!(of("X", StringArray::from(vec![None::<&str>])), 0);
}
