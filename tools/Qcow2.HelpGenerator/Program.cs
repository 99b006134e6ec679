using Qcow2.HelpGenerator;
using Qcow2.HelpGenerator.Model;

if (args is not ([] or ["--check"]))
{
    Console.Error.WriteLine("Usage: dotnet run --project tools/Qcow2.HelpGenerator [-- --check]");
    return 2;
}

string root = ModuleHelp.FindRoot(AppContext.BaseDirectory);
IReadOnlyList<CommandHelp> commands = ModuleHelp.Read();
IReadOnlyDictionary<string, string> files = HelpFiles.Make(commands);
List<string> problems = [.. HelpProblems.Find(commands)];
if (args.Length > 0)
{
    problems.AddRange(HelpFiles.Differences(root, files));
}
else
{
    HelpFiles.Write(root, files);
    Console.WriteLine($"Wrote help on {commands.Count} cmdlets: {HelpFiles.Maml}, {HelpFiles.MarkdownFolder}.");
}

problems.ForEach(Console.Error.WriteLine);
return problems.Count == 0 ? 0 : 1;
