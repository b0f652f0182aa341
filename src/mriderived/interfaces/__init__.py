"""The nipype interface classes, and the bridges to ANTs and torch."""
