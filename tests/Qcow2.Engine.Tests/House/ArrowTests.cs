namespace Qcow2.Engine.Tests.House;

/// <summary>Who knows whom in the engine: arrows between its folders point one way (docs/architecture.md).</summary>
public sealed class ArrowTests
{
    private const string Registry = "Formats";

    /// <summary>What everybody may know.</summary>
    private static readonly string[] Ground = ["Errors", "Polyfills"];

    /// <summary>What the types of a room may name, beside their own room and the ground.</summary>
    private static readonly Dictionary<string, string[]> Known = new()
    {
        ["Errors"] = [],
        ["Polyfills"] = [],
        ["Work"] = [],
        ["Storage"] = [],
        ["Codecs"] = [],
        ["Disks"] = ["Storage"],
        ["Allocation"] = ["Disks", "Work"],
        ["Partitions"] = ["Disks", "Codecs"],
        ["Conversion"] = ["Disks", "Storage", "Work", Registry],
        ["Comparison"] = ["Disks", "Storage", "Work", Registry],
        ["Http"] = ["Storage", "Work"],
        ["Nbd"] = ["Disks", "Storage"],
        ["Packed"] = ["Disks", "Storage", "Codecs", "Work", Registry],
    };

    /// <summary>Of each format: no other one. What lies below another format's room is reached through the registry.</summary>
    private static readonly string[] KnownToFormats = ["Disks", "Storage", "Codecs", "Work", Registry];

    /// <summary>Arrows that point elsewhere, each with its reason. One that is no longer needed fails the test, as one that is not listed does.</summary>
    private static readonly (string Type, string Room, string Reason)[] Exceptions =
    [
        ("DiskConverter", "Formats/Qcow2", "ConvertToQcow2 is public and takes Qcow2CreateOptions; Convert takes any format's."),
        ("DiskConverter", "Formats/Raw", "ConvertToRaw is public, and takes storage of the caller's."),
        ("ImageMeasure", "Formats/Qcow2", "ForSize and ForDisk are public and take Qcow2CreateOptions; Of takes any format's."),
        ("ImageMeasure", "Formats/Raw", "ForRaw is public."),
        ("ImageMerge", "Conversion", "What is merged into an image goes there as what is converted into it does, through the same steps."),
        ("ImageOptimizer", "Conversion", "Compaction is a conversion of an image into one of its own format, with its snapshots, which only the format knows."),
        ("Qcow2ImageObject", "Formats/Qcow2", "What is said of an image is public and says of which internal snapshot it is; only QCOW2 has these."),
        ("Qcow2DiskObject", "Formats/Qcow2", "As Qcow2ImageObject."),
    ];

    [Fact]
    public void Arrows_point_one_way()
    {
        IReadOnlyDictionary<Type, string> folders = SourceFolders.Of(typeof(VirtualDisk).Assembly);
        var arrows = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((Type type, string folder) in folders)
        {
            string room = RoomOf(folder);
            string[] wrong = [.. TypeReferences.Of(type).Where(folders.ContainsKey).Select(other => RoomOf(folders[other])).Distinct().Where(other => !MayKnow(room, other))];
            arrows.UnionWith(wrong.Select(other => $"{type.Name} ({room}) -> {other}"));
        }

        string[] listed = [.. Exceptions.Select(one => $"{one.Type} -> {one.Room}")];
        string[] found = [.. arrows.Select(arrow => System.Text.RegularExpressions.Regex.Replace(arrow, @" \(.*\)", ""))];
        Assert.True(!found.Except(listed).Any(), "These arrows point the wrong way:\n" + string.Join("\n", arrows));
        Assert.True(!listed.Except(found).Any(), "These exceptions are not needed any more:\n" + string.Join("\n", listed.Except(found)));
    }

    [Fact]
    public void Each_type_lies_in_a_room_that_has_a_rule()
    {
        IReadOnlyDictionary<Type, string> folders = SourceFolders.Of(typeof(VirtualDisk).Assembly);
        Assert.All(folders.Values.Select(RoomOf).Distinct(), room => Assert.True(room == Registry || room.StartsWith("Formats/", StringComparison.Ordinal) || Known.ContainsKey(room), $"'{room}' has no rule."));
        Assert.DoesNotContain(
            typeof(VirtualDisk).Assembly.GetTypes(),
            type => type.DeclaringType is null && type.Namespace?.StartsWith("Qcow2", StringComparison.Ordinal) == true && !folders.ContainsKey(type));
    }

    /// <summary>The first folder; of formats the second, too.</summary>
    private static string RoomOf(string folder)
    {
        string[] parts = folder.Split('/');
        return parts[0] == "Formats" && parts.Length > 1 ? $"Formats/{parts[1]}" : parts[0];
    }

    private static bool MayKnow(string room, string other)
    {
        if (room == other || (Ground.Contains(other) && !Ground.Contains(room)))
        {
            return true;
        }

        string[] known = room == Registry ? [.. KnownToFormats, other] : room.StartsWith("Formats/", StringComparison.Ordinal) ? KnownToFormats : Known[room];
        return known.Contains(other);
    }
}
