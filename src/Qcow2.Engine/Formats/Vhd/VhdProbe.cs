using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Whether a file is a VHD, by its content.</summary>
internal enum VhdLikeness
{
    /// <summary>Nothing speaks for it.</summary>
    None,

    /// <summary>
    /// Only the start of the file says so. A guest can write that into a raw disk, and so can one whose fixed VHD has lost its footer: it
    /// takes the caller's word.
    /// </summary>
    IfSaid,

    /// <summary>A footer is at the end, where no guest of a VHD can write.</summary>
    Footer,
}

/// <summary>Says what a file seems to be.</summary>
internal static class VhdProbe
{
    /// <exception cref="IOException">The host could not read.</exception>
    internal static VhdLikeness Look(BlockStorage storage)
    {
        var footers = VhdFooters.Find(storage);
        return footers.Trailing is not null ? VhdLikeness.Footer
            : footers.Leading is not null ? VhdLikeness.IfSaid
            : VhdLikeness.None;
    }
}
