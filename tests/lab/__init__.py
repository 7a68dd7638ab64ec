"""The lab: a department's network in namespaces, in each of the appliance's positions."""
