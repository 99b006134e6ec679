namespace Qcow2.PowerShell.Operations;

/// <summary>What of a packed disk a command needs.</summary>
internal enum PackedUse
{
    /// <summary>What its header says.</summary>
    Header,

    /// <summary>All of it, once, from the start to the end.</summary>
    InOrder,

    /// <summary>The same; and all of it once more where it turns out to have another size than it seemed to have, which makes all for nothing that was done with it.</summary>
    InOrderOrAgain,

    /// <summary>Any part of it.</summary>
    AtRandom,
}
