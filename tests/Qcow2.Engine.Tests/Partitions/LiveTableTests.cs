using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Partitions;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>Tables of files: random ones beside sfdisk, and the same ones in images of other formats.</summary>
public sealed class LiveTableTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact("sfdisk")]
    public void Random_tables_are_what_sfdisk_says()
    {
        string path = _folder.File("disk");
        for (int seed = 0; seed < 16; seed++)
        {
            var random = new Random(seed);
            bool isGpt = seed % 2 == 0;
            File.Delete(path);
            using (FileStream file = File.Create(path))
            {
                file.SetLength(256 << 20);
            }

            Sfdisk(isGpt ? RandomGpt(random) : RandomMbr(random), "-q", path);
            string said = Sfdisk("", "--json", path).Replace(path, "disk", StringComparison.Ordinal);
            using RawDisk disk = RawDisk.Open(path);
            var found = DiskPartitions.Read(disk);
            PartitionTableTests.AssertIs(JsonDocument.Parse(said).RootElement.GetProperty("partitiontable"), 512, found);
            Assert.Empty(found.Problems);
        }
    }

    [LinuxFact("sfdisk")]
    public void Types_that_sfdisk_calls_by_the_same_name_are_the_same()
    {
        ILookup<string, Guid> sfdisk = Sfdisk("", "--label", "gpt", "--list-types").Split('\n')
            .Select(line => line.Split(' ', 2))
            .Where(words => words.Length == 2 && Guid.TryParse(words[0], out _))
            .ToLookup(words => words[1].Trim(), words => Guid.Parse(words[0]), StringComparer.OrdinalIgnoreCase);
        KeyValuePair<Guid, string>[] named = [.. GptTypes.All.Where(type => sfdisk.Contains(type.Value))];
        Assert.True(named.Length > 50, $"sfdisk knows {named.Length} of our names.");
        Assert.DoesNotContain(named, type => !sfdisk[type.Value].Contains(type.Key));
    }

    [Theory]
    [InlineData("gpt", "qcow2")]
    [InlineData("gpt", "vhdx")]
    [InlineData("gpt", "vmdk")]
    [InlineData("gpt", "vdi")]
    [InlineData("mbr", "vhd")]
    [InlineData("gpt-4k", "vhdx")]
    public void Images_of_any_format_are_read(string name, string format)
    {
        SectorDisk sound = SectorDisk.Load(name);
        string path = _folder.File($"disk.{format}");
        DiskCreateOptions options = format switch
        {
            "qcow2" => new Qcow2CreateOptions(),
            "vhdx" => new VhdxCreateOptions { LogicalSectorSize = name == "gpt-4k" ? 4096 : 512 },
            "vmdk" => new VmdkCreateOptions(),
            "vdi" => new VdiCreateOptions(),
            _ => new VhdCreateOptions(),
        };
        DiskConverter.Convert(sound, path, options, overwrite: false, ConversionOptions.Default, null, default);
        using VirtualDisk disk = DiskFormats.Get(format).Open(path);
        var found = DiskPartitions.Read(disk);
        Assert.Empty(found.Problems);
        Assert.Equal(DiskPartitions.Read(sound).Partitions.Select(Text), found.Partitions.Select(Text));
        Assert.All(found.Partitions, one => Assert.Equal(path, one.Path));
        Assert.Equal(name == "gpt-4k" ? [4096] : Array.Empty<int>(), found.Partitions.Select(one => one.SectorSize).Where(size => size != 512).Distinct());
    }

    private static string Text(Qcow2Partition one) => $"{one.PartitionNumber} {one.Offset} {one.Size} {one.GptType} {one.MbrType} {one.Guid} {one.Label}";

    private static string RandomGpt(Random random)
    {
        string[] types = ["U", "L", "S", "R", "V", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"];
        string[] attributes = ["", ", attrs=RequiredPartition", ", attrs=\"GUID:60\"", ", attrs=\"LegacyBIOSBootable GUID:62,63\"", ", attrs=NoBlockIOProtocol"];
        var script = new StringBuilder("label: gpt\n");
        foreach (int number in Enumerable.Range(1, random.Next(1, 30)).Where(_ => random.Next(3) > 0))
        {
            script.AppendLine(CultureInfo.InvariantCulture, $"{number}: size={random.Next(1, 8000)}, type={types[random.Next(types.Length)]}, name=\"p{number}\"{attributes[random.Next(attributes.Length)]}");
        }

        return script.ToString();
    }

    private static string RandomMbr(Random random)
    {
        var script = new StringBuilder("label: dos\n");
        int extended = random.Next(1, 5);
        for (int number = 1; number <= 4; number++)
        {
            if (number == extended)
            {
                script.AppendLine(CultureInfo.InvariantCulture, $"{number}: start=200000, size=200000, type={(random.Next(2) == 0 ? "f" : "5")}");
            }
            else if (random.Next(3) > 0)
            {
                script.AppendLine(CultureInfo.InvariantCulture, $"{number}: start={2048 * number * 10}, size={random.Next(1, 20000)}, type={random.Next(1, 256) switch { 5 or 15 or 0x85 or 0xee => 0x83, int other => other }:x}{(random.Next(3) == 0 ? ", bootable" : "")}");
            }
        }

        for (int number = 5; number < 5 + random.Next(12); number++)
        {
            script.AppendLine(CultureInfo.InvariantCulture, $"{number}: size={random.Next(1, 8000)}, type=83");
        }

        return script.ToString();
    }

    private static string Sfdisk(string script, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("sfdisk", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(script);
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{script}\n{errors.Result}");
        return output;
    }
}
