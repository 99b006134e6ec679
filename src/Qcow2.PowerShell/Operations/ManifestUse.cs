namespace Qcow2.PowerShell.Operations;

/// <summary>What becomes of the sum that the manifest of an OVA has for a disk.</summary>
internal enum ManifestUse
{
    /// <summary>It is not looked at: not all of the disk is read.</summary>
    Ignored,

    /// <summary>Another one is an error, before anything is done with the disk.</summary>
    Required,

    /// <summary>Another one is a warning.</summary>
    Warned,

    /// <summary>It is compared, and how it stands is a finding of a check.</summary>
    Reported,

    /// <summary>That it is there is a finding; it is not compared.</summary>
    Mentioned,
}
