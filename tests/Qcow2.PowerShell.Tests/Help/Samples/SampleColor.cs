namespace Qcow2.PowerShell.Tests.Help.Samples;

/// <summary>Colours.</summary>
public enum SampleColor
{
    /// <summary>Like the sky.</summary>
    Blue,

    /// <summary>Like <c>grass</c>.</summary>
    Green,
}
