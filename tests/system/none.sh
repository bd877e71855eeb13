# SPDX-License-Identifier: GPL-2.0
# Nothing: Dom0 comes up and powers off.
