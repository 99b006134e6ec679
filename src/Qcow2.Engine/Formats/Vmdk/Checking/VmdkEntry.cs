namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>What an entry of a grain directory or table says.</summary>
internal enum VmdkEntryKind
{
    /// <summary>Nothing is there: the parent has it, or it is zeros.</summary>
    None,

    /// <summary>Zeros.</summary>
    Zero,

    /// <summary>A table or grain at some place of the file.</summary>
    Place,

    /// <summary>Nothing that means anything.</summary>
    Invalid,
}

/// <summary>An entry of a grain directory or table.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Place">Where in the file that is, in bytes.</param>
internal readonly record struct VmdkEntry(VmdkEntryKind Kind, long Place = 0)
{
    /// <summary>Where everything lies that has no place: far past the end of any file, and far from where 64 bits end.</summary>
    private const long Nowhere = long.MaxValue / 4;

    /// <summary>Gives an entry of the grain directory its meaning.</summary>
    internal static VmdkEntry OfDirectory(VmdkSparseLayout layout, ulong value)
    {
        const ulong TableMark = 0x1000_0000_0000_0000;
        return layout.Kind != VmdkSparseKind.SeSparse ? OfSector(layout, value)
            : value == 0 ? new VmdkEntry(VmdkEntryKind.None)
            : (value & 0xffff_ffff_0000_0000) != TableMark ? new VmdkEntry(VmdkEntryKind.Invalid)
            : new VmdkEntry(VmdkEntryKind.Place, layout.TablesOffset + ((long)(uint)value * layout.TableEntries * sizeof(ulong)));
    }

    /// <summary>Gives an entry of a grain table its meaning.</summary>
    internal static VmdkEntry OfTable(VmdkSparseLayout layout, ulong value)
    {
        if (layout.Kind != VmdkSparseKind.SeSparse)
        {
            return OfSector(layout, value);
        }

        ulong index = ((value >> 48) & 0xfff) | ((value & 0xffff_ffff_ffff) << 12);
        return (value >> 60) switch
        {
            0 when value == 0 => new VmdkEntry(VmdkEntryKind.None),
            1 or 2 => new VmdkEntry(VmdkEntryKind.Zero),
            3 => new VmdkEntry(VmdkEntryKind.Place, index > (ulong)(Nowhere / layout.GrainSize) ? Nowhere : layout.GrainsOffset + ((long)index * layout.GrainSize)),
            _ => new VmdkEntry(VmdkEntryKind.Invalid),
        };
    }

    private static VmdkEntry OfSector(VmdkSparseLayout layout, ulong value) => value switch
    {
        0 => new VmdkEntry(VmdkEntryKind.None),
        1 when layout.HasZeroedGrains => new VmdkEntry(VmdkEntryKind.Zero),
        1 when layout.Kind == VmdkSparseKind.Hosted => new VmdkEntry(VmdkEntryKind.Invalid),
        _ => new VmdkEntry(VmdkEntryKind.Place, (long)value * VmdkLimits.SectorSize),
    };
}
