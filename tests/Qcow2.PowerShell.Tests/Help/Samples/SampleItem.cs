namespace Qcow2.PowerShell.Tests.Help.Samples;

/// <summary>A thing that samples emit.</summary>
public sealed class SampleItem;
