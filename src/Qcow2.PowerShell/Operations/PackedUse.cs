namespace Qcow2.PowerShell.Operations;

/// <summary>What of a packed disk a command needs.</summary>
internal enum PackedUse
{
    /// <summary>What its header says.</summary>
    Header,

    /// <summary>All of it, once, from the start to the end.</summary>
    InOrder,

    /// <summary>Any part of it.</summary>
    AtRandom,
}
