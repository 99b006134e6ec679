using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>
/// To try a passphrase takes seconds, by design. So no call of a cmdlet derives the key of one key slot from one passphrase twice, however often it opens the file, in however
/// many places of its chains the file is, and by however many objects the passphrase was given. Counted are the events of the engine, by the salts of the files' key slots.
/// </summary>
public sealed class KeyDerivationTests(KeyDerivationTests.Images images) : IClassFixture<KeyDerivationTests.Images>
{
    private static readonly byte[] LuksMagic = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0, 1];

    /// <summary>Each passphrase is an object of its own, as often as it is given.</summary>
    private const string All = "-Passphrase (Secret t) -BackingPassphrase @{ 'base.qcow2' = (Secret b); 'mid.qcow2' = (Secret m); 'other.qcow2' = (Secret o) }";

    [Theory]
    [InlineData("Convert-Qcow2Image top.qcow2 new.raw {0}", "base mid top")]
    [InlineData("Convert-Qcow2Image top.qcow2 new.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 {0}", "base mid top")]
    [InlineData("Convert-Qcow2Image top.qcow2 new.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 -Encryption Luks -DestinationPassphrase (Secret t) @quick {0}", "base mid new top")]
    [InlineData("Convert-Qcow2Image over.qcow2 new.qcow2 -BackingFile one.qcow2 -BackingFormat qcow2 -Passphrase (Secret s)", "one over")]
    [InlineData("Convert-Qcow2Image over.qcow2 new.qcow2 -BackingFile one.qcow2 -BackingFormat qcow2 -Passphrase (Secret s) -BackingPassphrase (Secret s)", "one over")]
    [InlineData("Convert-Qcow2Image over.qcow2 new.qcow2 -BackingFile over.qcow2 -BackingFormat qcow2 -Passphrase (Secret s) -BackingPassphrase @{ 'over.qcow2' = (Secret s); 'one.qcow2' = (Secret s) }", "one over")]
    [InlineData("Convert-Qcow2Image top.qcow2 other.qcow2 -NoCreate -DestinationPassphrase (Secret o) {0}", "base mid other top")]
    [InlineData("Convert-Qcow2Image plain1.qcow2, plain2.qcow2 new.raw -Concatenate -Passphrase (Secret s)", "one")]
    [InlineData("'plain1.qcow2', 'plain2.qcow2' | Convert-Qcow2Image -DestinationPath { \"new-$_.raw\" } -Passphrase (Secret s)", "one")]
    [InlineData("Export-Qcow2Snapshot snap.qcow2 -SnapshotName now -DestinationPath new.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 {0}", "base mid snap")]
    [InlineData("Export-Qcow2Change one.qcow2 -BitmapName daily -DestinationPath new.qcow2 -ClearBitmap -Passphrase (Secret s)", "one")]
    [InlineData("Merge-Qcow2Image top.qcow2 -Confirm:$false {0}", "base mid top")]
    [InlineData("Merge-Qcow2Image top.qcow2 -DestinationPath base.qcow2 -Confirm:$false {0}", "base mid top")]
    [InlineData("Merge-Qcow2Image over.qcow2 -Confirm:$false -Passphrase (Secret s) -BackingPassphrase (Secret s)", "one over")]
    [InlineData("Set-Qcow2Image top.qcow2 -BackingFile other.qcow2 -BackingFormat qcow2 -Confirm:$false {0}", "base mid other top")]
    [InlineData("Set-Qcow2Image top.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 -Confirm:$false {0}", "base mid top")]
    [InlineData("Set-Qcow2Image top.qcow2 -BackingFile '' -Confirm:$false {0}", "base mid top")]
    [InlineData("New-Qcow2Image new.qcow2 -BackingFile top.qcow2 -BackingFormat qcow2", "")]
    [InlineData("New-Qcow2Image new.qcow2 -BackingFile top.qcow2 -BackingFormat qcow2 -Encryption Luks -Passphrase (Secret t) -ExtendedL2 -Preallocation Metadata @quick", "new")]
    [InlineData("Compare-Qcow2Image top.qcow2 top.qcow2 {0}", "base mid top")]
    [InlineData("Copy-Item top.qcow2 copy.qcow2; Compare-Qcow2Image top.qcow2 copy.qcow2 -DifferencePassphrase (Secret t) {0}", "base mid top")] // A copy has the same key slots.
    [InlineData("Compare-Qcow2Image over.qcow2 one.qcow2 -Passphrase (Secret s) -DifferencePassphrase (Secret s)", "one over")]
    [InlineData("Optimize-Qcow2Image top.qcow2 {0}", "base mid top")]
    [InlineData("Read-Qcow2Image top.qcow2 -Count 1 {0}", "base mid top")]
    [InlineData("Write-Qcow2Image top.qcow2 -Offset 0 -Value 1 {0}", "base mid top")]
    [InlineData("Test-Qcow2Image top.qcow2 -BackingChain", "")]
    [InlineData("Measure-Qcow2Image top.qcow2 -Encryption Luks", "")]
    [InlineData("Get-Qcow2KeySlot two.qcow2 -Passphrase (Secret y)", "two two.1")]
    [InlineData("Read-Qcow2Image two.qcow2, two.qcow2 -Count 1 -Passphrase (Secret y)", "two two.1")]
    [InlineData("Compare-Qcow2Image two.qcow2 two.qcow2 -Passphrase (Secret y)", "two two.1")]
    [InlineData("Add-Qcow2KeySlot two.qcow2 (Secret y) (Secret z) @quick", "two two.1 two.2")]
    [InlineData("Set-Qcow2KeySlot two.qcow2 (Secret y) (Secret y) @quick", "two two.1 two.1")]
    [InlineData("Remove-Qcow2KeySlot two.qcow2 -OldPassphrase (Secret y) -Passphrase (Secret x) -Confirm:$false", "two=2 two.1")] // Two passphrases are tried on slot 0.
    public void Nothing_is_derived_twice(string script, string slots)
    {
        ModuleSession session = images.Fresh();
        Dictionary<string, string> before = SaltsIn(session.Folder.Path);
        using var listener = new Listener();
        SessionResult result = session.Run(script.Replace("{0}", All, StringComparison.Ordinal));
        Assert.True(result.Errors.Count == 0, string.Join("\n", result.Errors));

        Dictionary<string, string> salts = before; // Those of a slot that was changed, too.
        foreach (KeyValuePair<string, string> salt in SaltsIn(session.Folder.Path))
        {
            salts.TryAdd(salt.Key, salt.Value);
        }

        ILookup<bool, (string Slot, int Times)> derived = listener.Of(salts).ToLookup(one => one.Slot.StartsWith("master.", StringComparison.Ordinal));
        Assert.Equal(slots.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), derived[false].Select(one => one.Slot + (one.Times > 1 ? $"={one.Times}" : "")).Order(StringComparer.Ordinal));

        // What a slot gives is held against the digest of the key, each time that is another one.
        Assert.All(derived[true], digest => Assert.InRange(
            digest.Times, 0, derived[false].Where(one => one.Slot.Split('.')[0] == digest.Slot.Split('.')[1]).Sum(one => one.Times)));
    }

    /// <summary>The salts of the files' LUKS headers, and whose they are: <c>top</c> for key slot 0 of <c>top.qcow2</c>, <c>top.1</c> for slot 1, <c>master.top</c> for the key's digest.</summary>
    private static Dictionary<string, string> SaltsIn(string folder)
    {
        const int MasterSalt = 132;
        const int FirstSlot = 208;
        const int SlotLength = 48;
        const int SaltLength = 32;
        const uint Active = 0x00ac_71f3;
        var salts = new Dictionary<string, string>();
        foreach (string path in Directory.GetFiles(folder, "*.qcow2"))
        {
            byte[] file = File.ReadAllBytes(path);
            int start = file.AsSpan().IndexOf(LuksMagic);
            if (start < 0)
            {
                continue;
            }

            string name = Path.GetFileNameWithoutExtension(path);
            string SaltAt(int offset) => Convert.ToBase64String(file.AsSpan(start + offset, SaltLength));
            salts.TryAdd(SaltAt(MasterSalt), $"master.{name}");
            for (int slot = 0; slot < 8; slot++)
            {
                int place = FirstSlot + (slot * SlotLength);
                if (BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(start + place)) == Active)
                {
                    salts.TryAdd(SaltAt(place + 8), slot == 0 ? name : $"{name}.{slot}");
                }
            }
        }

        return salts;
    }

    /// <summary>The images of all tests, made once.</summary>
    public sealed class Images : IDisposable
    {
        private readonly ModuleSession _session = new();
        private readonly Dictionary<string, byte[]> _made;

        public Images()
        {
            SessionResult made = _session.Run("""
                function global:Secret([string] $Text) { $secure = [securestring]::new(); $Text.ToCharArray().ForEach({ $secure.AppendChar($_) }); $secure }
                $global:quick = @{ IterationTimeMilliseconds = 0 }
                function Make($Name, $Word, $Base) {
                    $backing = if ($Base) { @{ BackingFile = $Base; BackingFormat = 'qcow2' } } else { @{ SizeBytes = 1MB } }
                    $null = New-Qcow2Image $Name @backing -Encryption Luks -Passphrase (Secret $Word) @quick
                }

                Make base.qcow2 b
                Make mid.qcow2 m base.qcow2
                Make top.qcow2 t mid.qcow2
                Make snap.qcow2 t mid.qcow2
                Make other.qcow2 o
                Make one.qcow2 s
                Make over.qcow2 s one.qcow2
                Make two.qcow2 x
                Add-Qcow2KeySlot two.qcow2 (Secret x) (Secret y) @quick
                $null = New-Qcow2Image plain1.qcow2 -BackingFile one.qcow2 -BackingFormat qcow2
                $null = New-Qcow2Image plain2.qcow2 -BackingFile one.qcow2 -BackingFormat qcow2
                Write-Qcow2Image base.qcow2 -Offset 0 -Value 1, 2, 3 -Passphrase (Secret b)
                Write-Qcow2Image other.qcow2 -Offset 7000 -Value 4 -Passphrase (Secret o)
                $null = New-Qcow2Bitmap one.qcow2 daily
                Write-Qcow2Image one.qcow2 -Offset 9000 -Value 5 -Passphrase (Secret s)
                $null = Checkpoint-Qcow2Image snap.qcow2 now
                """);
            Assert.True(made.Errors.Count == 0, string.Join("\n", made.Errors));
            _made = Directory.GetFiles(_session.Folder.Path).ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes);
        }

        /// <summary>The session, with the images as they were made and nothing else.</summary>
        internal ModuleSession Fresh()
        {
            foreach (string file in Directory.GetFiles(_session.Folder.Path))
            {
                File.Delete(file);
            }

            foreach (KeyValuePair<string, byte[]> file in _made)
            {
                _session.Folder.Write(file.Key, file.Value);
            }

            return _session;
        }

        public void Dispose() => _session.Dispose();
    }

    private sealed class Listener : EventListener
    {
        private readonly ConcurrentDictionary<string, int> _counts = new();

        /// <summary>What was derived for, and how often. Other tests derive at the same time, for other files.</summary>
        internal IReadOnlyList<(string Slot, int Times)> Of(Dictionary<string, string> salts)
            => [.. _counts.Where(count => salts.ContainsKey(count.Key)).Select(count => (salts[count.Key], count.Value)).OrderBy(one => one.Item1, StringComparer.Ordinal)];

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "Qcow2-Engine-KeyDerivation")
            {
                EnableEvents(eventSource, EventLevel.LogAlways);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData is { EventId: 1, Payload: [string salt, ..] })
            {
                _counts.AddOrUpdate(salt, 1, (_, count) => count + 1);
            }
        }
    }
}
