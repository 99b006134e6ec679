using System.Xml;

namespace Qcow2.Engine.Packed.Archive;

/// <summary>What the descriptor of an OVF package (DSP0243) says of its disks: which files they are. Nothing else of it is read.</summary>
internal static class OvfDescriptor
{
    private const int MostCharacters = 16 << 20;

    /// <summary>Reads the disks that have a file, in their order.</summary>
    /// <param name="text">The descriptor.</param>
    /// <exception cref="XmlException">This is no XML, or has a document type, which could name other files.</exception>
    internal static IReadOnlyList<OvfDisk> ReadDisks(Stream text)
    {
        var files = new Dictionary<string, OvfFile>(StringComparer.Ordinal);
        var disks = new List<(string Id, string File)>();
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = MostCharacters, IgnoreComments = true };
        using var reader = XmlReader.Create(text, settings);
        while (reader.Read())
        {
            if (reader.NodeType != XmlNodeType.Element)
            {
                continue;
            }

            switch (reader.LocalName)
            {
                case "File" when Attribute(reader, "id") is string id && Attribute(reader, "href") is string href:
                    files[id] = new OvfFile(href, Attribute(reader, "compression"), Attribute(reader, "chunkSize") is not null);
                    break;
                case "Disk" when Attribute(reader, "fileRef") is string file:
                    disks.Add((Attribute(reader, "diskId") ?? "", file));
                    break;
            }
        }

        // One file may be the start of several disks.
        return [.. disks.Select(disk => new OvfDisk(disk.Id, files.TryGetValue(disk.File, out OvfFile? file) ? file : new OvfFile(disk.File, null, false)))
            .GroupBy(disk => disk.File.Name, StringComparer.Ordinal).Select(same => same.First())];
    }

    /// <summary>An attribute, whatever its namespace: versions of the standard have several, and some programs write none.</summary>
    private static string? Attribute(XmlReader reader, string name)
    {
        string? value = null;
        for (bool more = reader.MoveToFirstAttribute(); more && value is null; more = reader.MoveToNextAttribute())
        {
            value = reader.LocalName == name ? reader.Value : null;
        }

        reader.MoveToElement();
        return value;
    }
}

/// <summary>A file of the package.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Compression">How it is compressed; null for not at all.</param>
/// <param name="IsSplit">Whether it lies in pieces.</param>
internal sealed record OvfFile(string Name, string? Compression, bool IsSplit);

/// <summary>A disk of the package.</summary>
/// <param name="Id">Its id.</param>
/// <param name="File">The file that holds it.</param>
internal sealed record OvfDisk(string Id, OvfFile File);
