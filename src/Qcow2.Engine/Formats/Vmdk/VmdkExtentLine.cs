using System.Globalization;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Who may do what with an extent.</summary>
internal enum VmdkAccess
{
    /// <summary>Read and write.</summary>
    ReadWrite,

    /// <summary>Read only.</summary>
    ReadOnly,

    /// <summary>Nobody anything.</summary>
    None,
}

/// <summary>What an extent is.</summary>
internal enum VmdkExtentType
{
    /// <summary>Bytes as they are, in a file.</summary>
    Flat,

    /// <summary>Grains of VMware's hosted products.</summary>
    Sparse,

    /// <summary>Zeros, in no file.</summary>
    Zero,

    /// <summary>Grains of ESXi's snapshots (COWD).</summary>
    VmfsSparse,

    /// <summary>Grains of ESXi's snapshots on VMFS 6.</summary>
    SeSparse,
}

/// <summary>A line of the descriptor: a stretch of the disk, and where its data lies.</summary>
/// <param name="Access">Who may do what.</param>
/// <param name="Sectors">Length, in sectors.</param>
/// <param name="Type">What it is.</param>
/// <param name="FileName">The file, as the descriptor names it; null for zeros.</param>
/// <param name="Offset">Where in the file a flat extent starts, in sectors.</param>
internal sealed record VmdkExtentLine(VmdkAccess Access, long Sectors, VmdkExtentType Type, string? FileName, long Offset)
{
    /// <summary>The line as VMware writes it.</summary>
    public override string ToString()
    {
        string access = Access switch { VmdkAccess.ReadWrite => "RW", VmdkAccess.ReadOnly => "RDONLY", _ => "NOACCESS" };
        string file = FileName is null ? "" : $" \"{FileName}\"";
        return $"{access} {Sectors} {Type.ToString().ToUpperInvariant()}{file}{(Type == VmdkExtentType.Flat ? $" {Offset}" : "")}";
    }

    /// <summary>Reads a line.</summary>
    /// <param name="line">Without blanks around it.</param>
    /// <param name="number">Which line of the descriptor it is.</param>
    /// <returns>Null for a line that is about something else.</returns>
    /// <exception cref="Qcow2Exception">It is about an extent, and cannot be understood.</exception>
    internal static VmdkExtentLine? TryParse(string line, int number)
    {
        int quote = line.IndexOf('"');
        string[] words = (quote < 0 ? line : line.Substring(0, quote)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        VmdkAccess? access = words.Length < 2 || words[1][0] == '=' ? null : words[0].ToUpperInvariant() switch
        {
            "RW" => VmdkAccess.ReadWrite,
            "RDONLY" => VmdkAccess.ReadOnly,
            "NOACCESS" => VmdkAccess.None,
            _ => null,
        };
        if (access is null)
        {
            return null;
        }

        if (words.Length < 3 || !long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long sectors) || sectors > VmdkLimits.MaxSectors)
        {
            throw Wrong("it has no number of sectors and kind");
        }

        VmdkExtentType type = words[2].ToUpperInvariant() switch
        {
            "FLAT" or "VMFS" => VmdkExtentType.Flat,
            "SPARSE" => VmdkExtentType.Sparse,
            "ZERO" => VmdkExtentType.Zero,
            "VMFSSPARSE" => VmdkExtentType.VmfsSparse,
            "SESPARSE" => VmdkExtentType.SeSparse,
            "VMFSRDM" or "VMFSRAW" or "VMFSRDMP" or "VMFSPASSTHROUGHRAWDEVICEMAP"
                => throw Qcow2Errors.Unsupported($"Line {number} of the VMDK descriptor names a device of an ESXi host ({words[2]}), which only that host can read."),
            _ => throw Wrong($"the kind '{words[2]}' is not known"),
        };

        if (type == VmdkExtentType.Zero)
        {
            return new VmdkExtentLine(access.Value, sectors, type, null, 0);
        }

        int last = line.LastIndexOf('"');
        if (quote < 0 || last <= quote + 1)
        {
            throw Wrong("it names no file in quotes");
        }

        string[] rest = line.Substring(last + 1).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        long offset = 0;
        if (rest.Length > 0 && type == VmdkExtentType.Flat
            && (!long.TryParse(rest[0], NumberStyles.None, CultureInfo.InvariantCulture, out offset) || offset > VmdkLimits.MaxSectors))
        {
            throw Wrong($"'{rest[0]}' is no offset in sectors");
        }

        return new VmdkExtentLine(access.Value, sectors, type, line.Substring(quote + 1, last - quote - 1), offset);

        Qcow2Exception Wrong(string why) => Qcow2Errors.Corrupt($"Line {number} of the VMDK descriptor cannot be understood: {why}. It has the form: RW 4192256 SPARSE \"disk-s001.vmdk\".");
    }
}
