//! The normative specification of kiln as data: the operator table and its reader.
