namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Numbers of the format, and the bounds that keep a hostile file from taking time or memory.</summary>
internal static class VhdLimits
{
    /// <summary>Every sector of the format, whatever the disk of the host has.</summary>
    internal const int SectorSize = 512;

    /// <summary>
    /// Entries of a block allocation table. The largest disk (2,040 GiB) has a million blocks of the usual 2 MiB, and four million of the
    /// smallest that Windows makes; with 128 KiB it still fits.
    /// </summary>
    internal const uint MaxTableEntries = 1 << 24;

    /// <summary>Bytes of a parent locator's text: the longest path of Windows, twice.</summary>
    internal const uint MaxLocatorBytes = 128 * 1024;
}
